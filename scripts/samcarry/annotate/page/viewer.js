/**
 * Shows an image with its masks: zoom, pan, window and level, colours, and marks on top.
 */
import { boundsOf } from "./masks.js";

const LARGEST_SCALE = 40;

export class Viewer {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.picture = document.createElement("canvas");
    this.overlay = document.createElement("canvas");
    this.grey = new Uint8ClampedArray(0);
    this.width = this.height = 1;
    this.scale = 1;
    this.left = this.top = 0; // where the image's corner is, in CSS pixels of the canvas
    this.low = 0;
    this.high = 255;
    this.opacity = 0.35;
    this.drawMarks = () => {};
    this.waiting = false;
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  /** Show an image (an element that is loaded). */
  setPicture(image, width, height) {
    this.picture.width = width;
    this.picture.height = height;
    const context = this.picture.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const grey = new Uint8ClampedArray(width * height);
    for (let i = 0; i < grey.length; i++) grey[i] = data[4 * i];
    this.setGrey(grey, width, height);
  }

  /** Show grey values 0..255. */
  setGrey(grey, width, height) {
    for (const layer of [this.picture, this.overlay]) {
      layer.width = width;
      layer.height = height;
    }
    this.grey = grey;
    const changed = this.width !== width || this.height !== height;
    this.width = width;
    this.height = height;
    this.setWindow(0, 255);
    if (changed || !this.fitted) this.fit();
  }

  /** Grey values `low` and below are shown black, `high` and above white. */
  setWindow(low, high) {
    this.low = low;
    this.high = Math.max(high, low + 1);
    const shown = new Uint8ClampedArray(256);
    for (let value = 0; value < 256; value++) shown[value] = (255 * (value - this.low)) / (this.high - this.low);
    const context = this.picture.getContext("2d");
    const image = context.createImageData(this.width, this.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i++) pixels[i] = (shown[this.grey[i]] * 0x010101) | 0xff000000;
    context.putImageData(image, 0, 0);
    this.redraw();
  }

  /** Right = wider window, up = brighter. */
  changeWindow(dx, dy) {
    const { low, high } = this;
    const width = Math.max(high - low + dx / 2, 4);
    const level = (low + high) / 2 + dy / 2;
    this.setWindow(level - width / 2, level + width / 2);
  }

  /**
   * Paint masks in colour. Where two overlap, stripes of both colours are shown.
   * @param {{bits: Uint8Array, colour: number[], active: boolean}[]} layers the active one last
   * @param {{left: number, top: number, right: number, bottom: number} | null} part null = all
   */
  paint(layers, part = null) {
    const edge = Math.max(1, Math.round(1.2 / this.scale));
    const area = part
      ? {
          left: Math.max(part.left - 2 * edge, 0),
          top: Math.max(part.top - 2 * edge, 0),
          right: Math.min(part.right + 2 * edge, this.width),
          bottom: Math.min(part.bottom + 2 * edge, this.height),
        }
      : { left: 0, top: 0, right: this.width, bottom: this.height };
    const across = area.right - area.left;
    const down = area.bottom - area.top;
    if (across < 1 || down < 1) return this.redraw();
    const context = this.overlay.getContext("2d");
    const image = context.createImageData(across, down);
    const pixels = new Uint32Array(image.data.buffer);
    for (const layer of layers) {
      const bounds = boundsOf(layer.bits, this.width);
      if (bounds) this.paintLayer(layer, bounds, area, pixels, across, layer.active ? 2 * edge : edge);
    }
    context.putImageData(image, area.left, area.top);
    this.redraw();
  }

  paintLayer({ bits, colour, active }, bounds, area, pixels, across, edge) {
    const { width, height } = this;
    const [red, green, blue] = colour;
    const solid = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    const share = Math.min(this.opacity * (active ? 1.3 : 1), 1);
    const fill = ((Math.round(255 * share) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    const first = Math.max(bounds.left, area.left);
    const last = Math.min(bounds.right, area.right);
    for (let y = Math.max(bounds.top, area.top); y < Math.min(bounds.bottom, area.bottom); y++) {
      for (let x = first; x < last; x++) {
        const at = y * width + x;
        if (!bits[at]) continue;
        const onEdge =
          x < edge || y < edge || x >= width - edge || y >= height - edge ||
          !bits[at - edge] || !bits[at + edge] || !bits[at - edge * width] || !bits[at + edge * width];
        const to = (y - area.top) * across + x - area.left;
        if (onEdge) pixels[to] = solid;
        else if (!pixels[to] || ((x + y) / (4 * edge)) & 1) pixels[to] = fill;
      }
    }
  }

  /** Show the entire image. */
  fit() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    this.fitted = true;
    this.scale = Math.min(clientWidth / this.width, clientHeight / this.height) * 0.98;
    this.left = (clientWidth - this.width * this.scale) / 2;
    this.top = (clientHeight - this.height * this.scale) / 2;
    this.redraw();
  }

  /** Zoom by a factor around a place of the canvas. */
  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const smallest = Math.min(this.canvas.clientWidth / this.width, this.canvas.clientHeight / this.height) / 2;
    const scale = Math.min(Math.max(this.scale * factor, smallest), LARGEST_SCALE);
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.redraw();
  }

  /** Zoom by the wheel around the pointer. */
  zoomByWheel(event) {
    const { x, y } = this.placeOf(event);
    this.zoom(Math.exp(-event.deltaY / 400), x, y);
  }

  /** The place of the pointer on the canvas. */
  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.redraw();
  }

  /** A place of the canvas in pixels of the image. */
  toImage(x, y) {
    return { x: (x - this.left) / this.scale, y: (y - this.top) / this.scale };
  }

  /** A place of the image in CSS pixels of the canvas. */
  toCanvas({ x, y }) {
    return { x: x * this.scale + this.left, y: y * this.scale + this.top };
  }

  /** Move the view so that a place of the image can be seen. */
  reveal(place) {
    const { x, y } = this.toCanvas(place);
    const { clientWidth, clientHeight } = this.canvas;
    const margin = 40;
    const outside = (value, limit) =>
      value < margin ? margin - value : value > limit - margin ? limit - margin - value : 0;
    this.pan(outside(x, clientWidth), outside(y, clientHeight));
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.fit();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(ratio * this.scale, 0, 0, ratio * this.scale, ratio * this.left, ratio * this.top);
    context.imageSmoothingEnabled = this.scale < 6;
    context.drawImage(this.picture, 0, 0);
    context.drawImage(this.overlay, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawMarks(context);
  }
}

/** The name of the current class above its mask, so that nobody has to know its colour. */
export function drawName(context, name, { x, y }) {
  context.font = "13px system-ui, sans-serif";
  context.lineWidth = 3;
  context.strokeStyle = "#000";
  context.strokeText(name, x, Math.max(y - 6, 14));
  context.fillStyle = "#fff";
  context.fillText(name, x, Math.max(y - 6, 14));
}

/** Red, green and blue of #rrggbb. */
export function rgbOf(colour) {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}
