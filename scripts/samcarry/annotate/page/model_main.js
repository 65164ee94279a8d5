/**
 * A trained network as a page: an image is dropped on it, and its masks, areas and warnings are shown.
 *
 * Names of files and classes are set as text and never as markup.
 */
import { Asker } from "./asker.js";
import { makeClassRow } from "./class_list.js";
import { Fingers } from "./fingers.js";
import { drawName, rgbOf, Viewer } from "./viewer.js";
import { clearWarning, showWarning } from "./warnings.js";

const byId = (id) => document.getElementById(id);
const read = (id) => byId(id).textContent.trim();

class ModelPage {
  constructor(about) {
    this.about = about;
    this.colours = about.colours.map(rgbOf);
    this.viewer = new Viewer(byId("image"));
    this.viewer.drawMarks = (context) => this.drawMarks(context);
    this.hidden = new Set();
    this.index = 0;
    this.file = null;
    /** The answer that is shown, with a bitmap for each class. @type {any} */
    this.answer = null;
    this.rows = about.classes.map((name, index) => {
      const show = (shown) => {
        if (shown) this.hidden.delete(index);
        else this.hidden.add(index);
        this.repaint();
      };
      const made = makeClassRow(name, about.colours[index], () => this.choose(index), show);
      byId("classes").append(made.row);
      return made;
    });
    if (about.note) showWarning("note", about.note);
    this.asker = new Asker(read("worker"), { kind: "network", about, weights: read("weights") }, (message) =>
      showWarning("fault", this.file ? `${this.file.name}: ${message}` : `The network cannot be used (${message}).`),
    );
  }

  /** Take an image file; where the network needs its side, ask for it first. */
  open(file) {
    this.file = file;
    this.answer = null;
    for (const kind of ["fault", "unlike", "side", "text", "spacing"]) clearWarning(kind);
    if (byId("side")) byId("side").value = "";
    this.show();
    return this.predict();
  }

  async predict() {
    const { file, about } = this;
    if (!file) return;
    const side = byId("side")?.value ?? "";
    if (about.mirrored && !side) {
      this.answer = null;
      this.show();
      byId("status").textContent = `${file.name}: choose the side that it shows, at the top. It is not guessed.`;
      byId("side").focus();
      return;
    }
    byId("busy").hidden = false;
    byId("status").textContent = "";
    const question = { file, mirror: Boolean(about.mirrored) && side === about.mirrored };
    this.question = question;
    const answer = await this.asker.ask(question);
    if (this.question !== question) return; // another image was opened in the meantime
    byId("busy").hidden = true;
    this.answer = answer && { ...answer, side, masks: split(answer) };
    if (answer) {
      this.viewer.setGrey(answer.grey, answer.width, answer.height);
      this.warn();
    }
    this.show();
    document.documentElement.dataset.answers = String(Number(document.documentElement.dataset.answers ?? 0) + 1);
  }

  /** Say what is strange about the image. */
  warn() {
    const { unlike, burnedIn, atDetector, sides, side } = this.answer;
    const { name } = this.file;
    if (unlike?.reason) showWarning("unlike", `${name}: ${unlike.reason}; its masks may be wrong.`);
    if (burnedIn) showWarning("text", `${name}: text in its pixels may name the patient (BurnedInAnnotation is YES).`);
    if (atDetector) {
      showWarning("spacing", `${name}: the size of a pixel is that at the detector, where the object appears magnified: areas are too large.`);
    }
    const other = sides.find((one) => side && one[0].toLowerCase() !== side[0]);
    if (other) showWarning("side", `${name}: its header says that it shows the side ${other}; you chose ${side}.`);
  }

  /** Height and width of a pixel in mm, or null. */
  get spacing() {
    const given = Number(byId("spacing").value.replace(",", "."));
    return this.answer.spacing ?? (given > 0 && Number.isFinite(given) ? [given, given] : null);
  }

  choose(index) {
    this.index = (index + this.rows.length) % this.rows.length;
    this.show();
  }

  /** Show the masks, and the areas in the list of classes. */
  show() {
    const { answer } = this;
    byId("drop").hidden = Boolean(answer);
    this.rows.forEach(({ button, state }, index) => {
      button.setAttribute("aria-current", String(index === this.index));
      state.textContent = answer ? this.areaOf(answer.masks[index]) : "–";
    });
    if (answer) {
      const { width, height, took } = answer;
      byId("status").textContent = `${this.file.name}: ${width} × ${height} pixels, ${(took / 1000).toFixed(1)} s`;
    }
    this.repaint();
  }

  areaOf(mask) {
    const count = mask.reduce((sum, value) => sum + value, 0);
    if (!count) return "not found";
    const { spacing } = this;
    return spacing ? `${(count * spacing[0] * spacing[1]).toPrecision(4)} mm²` : `${count} pixels`;
  }

  repaint() {
    const shown = this.answer && byId("masks").checked ? this.answer.masks : [];
    const layers = shown
      .map((bits, index) => ({ bits, colour: this.colours[index], active: index === this.index, index }))
      .filter(({ index }) => !this.hidden.has(index))
      .sort((one, other) => one.active - other.active);
    this.viewer.paint(layers);
  }

  /** Write the name of the chosen class above its mask. */
  drawMarks(context) {
    if (!this.answer || this.hidden.has(this.index) || !byId("masks").checked) return;
    const { masks, width } = this.answer;
    const first = masks[this.index].indexOf(1);
    if (first < 0) return;
    const top = this.viewer.toCanvas({ x: first % width, y: Math.floor(first / width) });
    drawName(context, this.about.classes[this.index], top);
  }
}

/** The bitmaps of the classes. */
function split({ bits, width, height }) {
  const masks = [];
  for (let start = 0; start < bits.length; start += width * height) {
    masks.push(bits.subarray(start, start + width * height));
  }
  return masks;
}

/** Connect files, mouse, pen, fingers and keys. */
function connect(page) {
  const { viewer } = page;
  const on = (id, kind, action) => byId(id)?.addEventListener(kind, action);
  on("file", "change", (event) => event.target.files[0] && page.open(event.target.files[0]));
  on("side", "change", () => page.predict());
  on("spacing", "input", () => page.show());
  on("larger", "click", () => viewer.zoom(1.3));
  on("smaller", "click", () => viewer.zoom(1 / 1.3));
  on("fit", "click", () => viewer.fit());
  on("window", "click", () => viewer.setWindow(0, 255));
  on("masks", "change", () => page.repaint());
  on("opacity", "input", (event) => {
    viewer.opacity = Number(event.target.value) / 100;
    page.repaint();
  });
  const tools = [...document.querySelectorAll("[data-tool]")];
  let tool = "";
  const chooseTool = (name) => {
    tool = name;
    for (const button of tools) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  };
  for (const button of tools) button.addEventListener("click", () => chooseTool(button.dataset.tool));
  chooseTool("pan");
  connectDrop(page);
  connectDrag(viewer, () => tool);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), select")) return;
    const steps = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    const action = {
      h: () => chooseTool("pan"),
      l: () => chooseTool("window"),
      o: () => byId("masks").click(),
      j: () => page.choose(page.index + 1),
      k: () => page.choose(page.index - 1),
      "+": () => viewer.zoom(1.3),
      "-": () => viewer.zoom(1 / 1.3),
      0: () => viewer.fit(),
    }[event.key.toLowerCase()];
    if (action) action();
    else if (steps[event.key] && event.target === viewer.canvas) viewer.pan(...steps[event.key]);
    else return;
    event.preventDefault();
  });
}

function connectDrop(page) {
  const show = (dropping) => document.body.classList.toggle("dropping", dropping);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    show(true);
  });
  document.addEventListener("dragleave", (event) => show(event.relatedTarget !== null));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    show(false);
    const { files } = event.dataTransfer;
    if (!files.length) return;
    byId("file").files = files;
    page.open(files[0]);
  });
}

/** A drag moves the image or changes its window; two fingers move and zoom it, and so does the wheel. */
function connectDrag(viewer, toolOf) {
  const { canvas } = viewer;
  const fingers = new Fingers(viewer);
  let last = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const at = viewer.placeOf(event);
    last = fingers.down(event, at) ? null : at;
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = viewer.placeOf(event);
    if (fingers.move(event, at) || !last) return;
    if (toolOf() === "window") viewer.changeWindow(at.x - last.x, at.y - last.y);
    else viewer.pan(at.x - last.x, at.y - last.y);
    last = at;
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, (event) => {
      fingers.up(event);
      last = null;
    });
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    viewer.zoomByWheel(event);
  }, { passive: false });
}

const page = new ModelPage(JSON.parse(read("page")));
connect(page);
page.show();
document.documentElement.dataset.ready = "true";
globalThis.samcarry = { page }; // for tests
