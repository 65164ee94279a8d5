/**
 * Fingers on the image: two of them move and zoom it.
 */

export class Fingers {
  /** @param {import("./viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    /** Where each finger is, in CSS pixels of the canvas. @type {Map<number, {x: number, y: number}>} */
    this.places = new Map();
  }

  /** @returns {boolean} whether there is more than one finger now */
  down(event, at) {
    if (event.pointerType === "touch") this.places.set(event.pointerId, at);
    return this.places.size > 1;
  }

  /** @returns {boolean} whether the finger moves the image together with others */
  move(event, at) {
    if (!this.places.has(event.pointerId) || this.places.size < 2) return false;
    const before = [...this.places.values()].slice(0, 2);
    this.places.set(event.pointerId, at);
    const after = [...this.places.values()].slice(0, 2);
    const middle = ([one, other]) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
    const spread = ([one, other]) => Math.hypot(one.x - other.x, one.y - other.y);
    const [from, to] = [middle(before), middle(after)];
    this.viewer.pan(to.x - from.x, to.y - from.y);
    this.viewer.zoom(spread(after) / Math.max(spread(before), 1), to.x, to.y);
    return true;
  }

  up(event) {
    this.places.delete(event.pointerId);
  }
}
