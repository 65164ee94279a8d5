/**
 * Mouse, pen, touch and keys on the image.
 */
import { Fingers } from "./fingers.js";
import { drawStroke, fillPolygon } from "./masks.js";
import { drawName } from "./viewer.js";

/** A drag shorter than this is a click, in CSS pixels. */
const SHORTEST_DRAG = 5;

const CLOSE = 9; // CSS pixels from the first corner that close a polygon
const CLOSE_BY_FINGER = 22;
const ERASER_END = 32; // PointerEvent.buttons of a pen's other end
export const TOOLS = ["sam", "brush", "eraser", "polygon", "window", "pan"];

export class Tools {
  /** @param {import("./app.js").App} app @param {HTMLCanvasElement} canvas */
  constructor(app, canvas) {
    this.app = app;
    this.canvas = canvas;
    this.viewer = app.viewer;
    this.tool = "sam";
    this.radius = 8;
    this.opposite = false; // the next click means "not part of it", for pens and touch
    this.cursor = null; // where the keyboard or the mouse is, in pixels of the image
    this.byKeyboard = false;
    this.drag = null;
    this.corner = null; // first corner of a box that is drawn by keyboard
    this.polygon = [];
    this.fingers = new Fingers(app.viewer);
    this.penSeen = false; // a single finger then moves the image: it may be the palm
    this.viewer.drawMarks = (context) => this.drawMarks(context);
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.cancel(event));
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("dblclick", () => this.closePolygon());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  choose(tool) {
    this.stop();
    this.tool = tool;
    this.app.panel.update();
  }

  /** Forget what was begun. */
  stop() {
    this.corner = null;
    this.polygon = [];
    this.dropDrag();
  }

  /** Forget the drag; the corners of a polygon stay. */
  dropDrag() {
    if (this.drag?.kind === "stroke") this.app.bitmaps[this.app.index] = null;
    this.drag = null;
    this.app.repaint();
  }

  setRadius(radius) {
    this.radius = Math.min(Math.max(Math.round(radius), 1), 200);
    this.app.panel.update();
    this.viewer.redraw();
  }

  // ---- pointer ------------------------------------------------------------------------------------------------

  down(event) {
    this.canvas.focus();
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.viewer.placeOf(event);
    const several = this.fingers.down(event, at);
    if (this.isPalm(event)) return;
    if (several) return this.dropDrag();
    this.penSeen ||= event.pointerType === "pen";
    this.byKeyboard = false;
    if (event.ctrlKey && event.button === 0) {
      this.app.chooseClassAt(this.viewer.toImage(at.x, at.y));
      return;
    }
    const erasing = event.button === 2 || event.altKey || Boolean(event.buttons & ERASER_END) || this.opposite;
    const point = this.viewer.toImage(at.x, at.y);
    const kind =
      event.button === 1 || this.tool === "pan" || (this.penSeen && event.pointerType === "touch") ? "pan"
      : this.tool === "window" ? "window"
      : this.tool === "polygon" ? "polygon"
      : this.tool === "sam" ? "sam"
      : "stroke";
    const byPen = event.pointerType === "pen";
    this.drag = { kind, byPen, start: at, last: at, from: point, to: point, erasing, moved: false };
    if (kind === "stroke") {
      this.drag.value = (this.tool === "eraser") !== erasing ? 0 : 1;
      this.stroke(point, point);
    }
  }

  move(event) {
    const at = this.viewer.placeOf(event);
    if (this.isPalm(event) || this.fingers.move(event, at)) return;
    const point = this.viewer.toImage(at.x, at.y);
    this.cursor = point;
    const { drag } = this;
    if (!drag) return this.viewer.redraw();
    drag.moved ||= Math.hypot(at.x - drag.start.x, at.y - drag.start.y) > SHORTEST_DRAG;
    if (drag.kind === "pan") this.viewer.pan(at.x - drag.last.x, at.y - drag.last.y);
    else if (drag.kind === "window") this.viewer.changeWindow(at.x - drag.last.x, at.y - drag.last.y);
    else if (drag.kind === "stroke") this.stroke(drag.to, point);
    drag.last = at;
    drag.to = point;
    this.viewer.redraw();
  }

  up(event) {
    this.fingers.up(event);
    if (this.isPalm(event)) return;
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (drag.kind === "stroke") this.app.commitBitmap();
    else if (drag.kind === "polygon") this.addCorner(drag.to, drag.erasing, event.pointerType === "touch");
    else if (drag.kind === "sam" && drag.moved) this.app.askBox(orderly(drag.from, drag.to, this.app.entry));
    else if (drag.kind === "sam") this.click(drag.from, !drag.erasing);
    this.viewer.redraw();
  }

  cancel(event) {
    this.fingers.up(event);
    if (!this.isPalm(event)) this.dropDrag();
  }

  /** Whether this is the hand that rests on the screen while its pen draws. */
  isPalm(event) {
    return Boolean(this.drag?.byPen) && event.pointerType === "touch";
  }

  leave() {
    if (!this.byKeyboard) this.cursor = null;
    this.viewer.redraw();
  }

  wheel(event) {
    event.preventDefault();
    if (event.shiftKey) this.setRadius(this.radius - Math.sign(event.deltaY || event.deltaX));
    else this.viewer.zoomByWheel(event);
  }

  // ---- what tools do ------------------------------------------------------------------------------------------

  click(point, positive) {
    const { width, height } = this.app.entry;
    if (point.x < 0 || point.y < 0 || point.x >= width || point.y >= height) return;
    if (!positive && !this.app.snapshot.mask) {
      this.app.panel.say("There is no mask yet. Click on the object, or drag a box around it.");
      return;
    }
    this.app.askPoint({ ...point, positive });
  }

  stroke(from, to) {
    const part = drawStroke(this.app.bitmap(), this.app.entry.width, from, to, this.radius, this.drag.value);
    this.app.repaint(part);
  }

  addCorner(point, erasing, byFinger = false) {
    const [first] = this.polygon;
    const reach = byFinger ? CLOSE_BY_FINGER : CLOSE;
    const near = first && distance(this.viewer.toCanvas(first), this.viewer.toCanvas(point)) < reach;
    if (near && this.polygon.length > 2) return this.closePolygon();
    this.polygon.push(point);
    this.cutting = erasing;
  }

  closePolygon() {
    const corners = this.polygon.filter(
      (corner, index, all) => index === 0 || distance(corner, all[index - 1]) > 0.01,
    );
    this.polygon = [];
    if (corners.length > 2) {
      fillPolygon(this.app.bitmap(), this.app.entry.width, corners, this.cutting ? 0 : 1);
      this.app.commitBitmap();
    }
    this.viewer.redraw();
  }

  // ---- keyboard -----------------------------------------------------------------------------------------------

  /** Keys that act on the image while it has the focus. @returns {boolean} whether the key was used */
  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (steps[event.key]) this.moveCursor(steps[event.key], event.shiftKey ? 40 : 6);
    else if (event.key === "Enter") this.act(event.altKey || this.opposite);
    else if (event.key === "Backspace") this.act(true);
    else if (event.key === " ") this.actTwice();
    else if (event.key === "Escape") this.stop();
    else return false;
    return true;
  }

  moveCursor([dx, dy], pixels) {
    const { width, height } = this.app.entry;
    const before = this.cursor ?? { x: width / 2, y: height / 2 };
    const step = Math.max(pixels / this.viewer.scale, 1);
    this.cursor = {
      x: Math.min(Math.max(before.x + dx * step, 0), width - 0.01),
      y: Math.min(Math.max(before.y + dy * step, 0), height - 0.01),
    };
    this.byKeyboard = true;
    if (this.drag?.kind === "stroke") {
      this.stroke(before, this.cursor);
      this.drag.to = this.cursor;
    }
    this.viewer.reveal(this.cursor);
  }

  /** What a click does; with brush and eraser, begin or end a stroke. */
  act(erasing) {
    const point = this.cursor ?? { x: this.app.entry.width / 2, y: this.app.entry.height / 2 };
    this.cursor = point;
    if (this.tool === "sam") this.click(point, !erasing);
    else if (this.tool === "polygon") this.addCorner(point, erasing);
    else if (this.tool === "brush" || this.tool === "eraser") {
      if (this.drag) {
        this.drag = null;
        this.app.commitBitmap();
      } else {
        this.drag = { kind: "stroke", from: point, to: point, value: (this.tool === "eraser") !== erasing ? 0 : 1 };
        this.stroke(point, point);
      }
    }
    this.viewer.redraw();
  }

  /** The corners of a box, one after the other; or the end of a polygon. */
  actTwice() {
    if (this.tool === "polygon") return this.closePolygon();
    if (this.tool !== "sam" || !this.cursor) return;
    if (!this.corner) this.corner = this.cursor;
    else {
      const box = orderly(this.corner, this.cursor, this.app.entry);
      this.corner = null;
      if (box[2] - box[0] >= 1 && box[3] - box[1] >= 1) this.app.askBox(box);
    }
    this.viewer.redraw();
  }

  // ---- marks --------------------------------------------------------------------------------------------------

  /** Draw prompts, unfinished shapes and the cursor over the image. */
  drawMarks(context) {
    const show = (point) => this.viewer.toCanvas(point);
    const { box, points } = this.app.prompts;
    const { mask } = this.app.snapshot;
    if (mask) {
      const top = show({ x: mask.left + mask.runs[0], y: mask.top }); // its first pixel
      drawName(context, this.app.page.classes[this.app.index], top);
    }
    const begun = this.drag?.kind === "sam" && this.drag.moved ? [this.drag.from, this.drag.to] : null;
    const byKeys = this.corner && this.cursor ? [this.corner, this.cursor] : null;
    if (box) drawBox(context, show({ x: box[0], y: box[1] }), show({ x: box[2], y: box[3] }), true);
    for (const pair of [begun, byKeys]) if (pair) drawBox(context, show(pair[0]), show(pair[1]), false);
    for (const point of points) drawPoint(context, show(point), point.positive);
    if (this.polygon.length) drawLine(context, [...this.polygon, ...(this.cursor ? [this.cursor] : [])].map(show));
    if (!this.cursor) return;
    const at = show(this.cursor);
    if (this.tool === "brush" || this.tool === "eraser") drawRing(context, at, this.radius * this.viewer.scale);
    if (this.byKeyboard) drawCross(context, at);
  }
}

/** A box (x0, y0, x1, y1) from two corners, inside the image. */
function orderly(one, other, { width, height }) {
  const within = (value, limit) => Math.min(Math.max(value, 0), limit);
  const xs = [within(one.x, width), within(other.x, width)].sort((a, b) => a - b);
  const ys = [within(one.y, height), within(other.y, height)].sort((a, b) => a - b);
  return [xs[0], ys[0], xs[1], ys[1]];
}

function distance(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

/** Draw a path twice, dark below light, so that it can be seen on any grey. */
function outlined(context, draw, dash = []) {
  for (const [colour, width] of [["#000", 3.5], ["#fff", 1.5]]) {
    context.beginPath();
    draw();
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(colour === "#fff" ? dash : []);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawBox(context, one, other, done) {
  outlined(context, () => context.rect(one.x, one.y, other.x - one.x, other.y - one.y), done ? [6, 5] : []);
}

function drawLine(context, points) {
  outlined(context, () => points.forEach(({ x, y }, index) => (index ? context.lineTo(x, y) : context.moveTo(x, y))));
}

function drawRing(context, { x, y }, radius) {
  outlined(context, () => context.arc(x, y, Math.max(radius, 1), 0, 2 * Math.PI));
}

function drawCross(context, { x, y }) {
  outlined(context, () => {
    for (const [dx, dy] of [[1, 0], [0, 1]]) {
      context.moveTo(x - 14 * dx, y - 14 * dy);
      context.lineTo(x - 4 * dx, y - 4 * dy);
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
  });
}

/** A disc with + or −: the sign says what the colour says. */
function drawPoint(context, { x, y }, positive) {
  context.beginPath();
  context.arc(x, y, 7, 0, 2 * Math.PI);
  context.fillStyle = positive ? "#0072b2" : "#d55e00";
  context.fill();
  context.strokeStyle = "#fff";
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, 7, 0, 2 * Math.PI);
  context.moveTo(x - 4, y);
  context.lineTo(x + 4, y);
  if (positive) {
    context.moveTo(x, y - 4);
    context.lineTo(x, y + 4);
  }
  context.stroke();
}
