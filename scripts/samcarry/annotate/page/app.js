/**
 * The annotator's actions: what each of them changes, shows and stores.
 */
import { atSize, boundsOf, componentAt, decodeRuns, encodeRuns, isEmpty } from "./masks.js";
import { readFile, writeFile } from "./saved.js";
import {
  absent,
  Clock,
  confirmed,
  drawn,
  fromRecord,
  makeChange,
  newWork,
  noPrompts,
  redoChange,
  toRecord,
  undoChange,
  untouched,
} from "./session.js";
import { ChangedElsewhere } from "./store.js";

/** The key of the record that holds who annotates and which case was shown last. */
const ABOUT = "";

export class App {
  /**
   * @param {any} page the description of the page
   * @param {import("./viewer.js").Viewer} viewer
   * @param {any} panel everything around the image
   * @param {(id: string) => string} read the text of a data block of the page
   */
  constructor(page, viewer, panel, read) {
    this.page = page;
    this.viewer = viewer;
    this.panel = panel;
    this.read = read;
    this.asker = null;
    this.store = null;
    this.clock = new Clock();
    this.works = page.cases.map((entry) => newWork(page.classes.length, entry.start));
    this.annotator = "";
    this.number = 0;
    this.index = 0;
    /** Classes that are not shown. @type {Set<number>} */
    this.hidden = new Set();
    this.allHidden = false;
    /** The masks of the case that is shown, drawn when they are needed. @type {(Uint8Array | null)[]} */
    this.bitmaps = [];
    /** A question to SAM that is not answered yet. */
    this.pending = null;
    this.unsaved = false;
    this.asked = this.kept = 0;
  }

  get entry() {
    return this.page.cases[this.number];
  }

  get work() {
    return this.works[this.number];
  }

  get snapshot() {
    return this.work.classes[this.index];
  }

  /** The prompts to show: those of the question that waits, or of the last answer. */
  get prompts() {
    return this.pending?.prompts ?? this.snapshot.prompts;
  }

  // ---- cases and classes --------------------------------------------------------------------------------------

  async showCase(number) {
    this.tick();
    this.clock.stop();
    this.number = Math.min(Math.max(number, 0), this.page.cases.length - 1);
    this.pending = null;
    this.bitmaps = this.page.classes.map(() => null);
    const { entry } = this;
    const shown = this.number;
    const note = this.page.notes[shown];
    if (note) this.panel.warn("text", note);
    else this.panel.clear("text");
    const image = new Image();
    image.src = this.read(`picture-${shown}`);
    try {
      await image.decode();
    } catch {
      this.panel.warn("picture", `The image of ${entry.name} cannot be shown: the file of this page is damaged.`);
    }
    if (shown !== this.number) return;
    this.viewer.setPicture(image, entry.width, entry.height);
    const embeddings = entry.views.map((_, view) => this.read(`embedding-${shown}-${view}`));
    if (this.asker && entry.views.length) this.asker.setCase(shown, entry.views, embeddings);
    this.clock.tick(performance.now());
    this.repaint();
    this.panel.update();
    this.keepAbout();
  }

  chooseClass(index) {
    const count = this.page.classes.length;
    this.index = (index + count) % count;
    this.pending = null;
    this.repaint();
    this.panel.update();
  }

  /** Choose the class whose mask is at a place; of several, the next one. */
  chooseClassAt({ x, y }) {
    const { width, height } = this.entry;
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const at = Math.floor(y) * width + Math.floor(x);
    const count = this.page.classes.length;
    for (let step = 1; step <= count; step++) {
      const index = (this.index + step) % count;
      if (this.work.classes[index].mask && this.bitmap(index)[at]) return this.chooseClass(index);
    }
  }

  /** The bitmap of a class of the case that is shown. */
  bitmap(index = this.index) {
    const { width, height } = this.entry;
    this.bitmaps[index] ??= decodeRuns(this.work.classes[index].mask, new Uint8Array(width * height), width);
    return this.bitmaps[index];
  }

  repaint(part = null) {
    const layers = this.work.classes
      .map((snapshot, index) => ({ snapshot, index }))
      .filter(({ snapshot, index }) => (snapshot.mask || this.bitmaps[index]) && !this.hidden.has(index))
      .sort((one, other) => (one.index === this.index) - (other.index === this.index))
      .map(({ index }) => ({
        bits: this.bitmap(index),
        colour: this.page.rgb[index],
        active: index === this.index,
      }));
    this.viewer.paint(this.allHidden ? [] : layers, part);
  }

  // ---- changes ------------------------------------------------------------------------------------------------

  /** Replace the current class by what its bitmap shows now. */
  commitBitmap(prompts = noPrompts()) {
    const mask = encodeRuns(this.bitmap(), this.entry.width);
    this.change([{ index: this.index, after: drawn(mask, prompts) }], false);
  }

  change(replaced, redraw = true) {
    const entry = makeChange(this.work, replaced);
    this.afterChange(entry, redraw);
  }

  undo() {
    this.pending = null;
    this.afterChange(undoChange(this.work));
  }

  redo() {
    this.pending = null;
    this.afterChange(redoChange(this.work));
  }

  afterChange(entry, redraw = true) {
    if (!entry) return;
    if (redraw) for (const { index } of entry) this.bitmaps[index] = null;
    this.tick();
    this.unsaved = true;
    this.repaint();
    this.panel.update();
    this.keep();
  }

  confirm() {
    this.change([{ index: this.index, after: confirmed(this.snapshot) }]);
  }

  markAbsent() {
    this.change([{ index: this.index, after: absent() }]);
  }

  deleteMask() {
    if (this.snapshot.mask) this.change([{ index: this.index, after: drawn(null) }]);
  }

  /** Take the contour of the same class in the case before this one, or else the one after it. */
  copyFromNeighbour() {
    const neighbour = [this.number - 1, this.number + 1].find(
      (number) => this.works[number]?.classes[this.index].mask,
    );
    if (neighbour === undefined) {
      this.panel.say(`No neighbouring case has ${this.page.classes[this.index]}.`);
      return;
    }
    const other = this.page.cases[neighbour];
    const bits = new Uint8Array(other.width * other.height);
    decodeRuns(this.works[neighbour].classes[this.index].mask, bits, other.width);
    this.bitmaps[this.index] = atSize(bits, other.width, this.entry.width, this.entry.height);
    this.commitBitmap();
  }

  /** Mark the case as finished; the classes that nobody looked at are first confirmed as they are. */
  finish() {
    const rest = untouched(this.work);
    if (rest.length) {
      const after = rest.map((index) => ({ index, after: confirmed(this.work.classes[index]) }));
      this.change(after);
    }
    this.tick();
    this.work.finished = new Date().toISOString();
    this.unsaved = true;
    this.panel.update();
    this.keep();
  }

  reopen() {
    this.work.finished = null;
    this.panel.update();
    this.keep();
  }

  // ---- SAM ----------------------------------------------------------------------------------------------------

  get canAsk() {
    return Boolean(this.asker && !this.asker.failed && this.entry.views.length);
  }

  /** Ask for the object in a box (x0, y0, x1, y1); a mask that the class had is forgotten. */
  askBox(box) {
    return this.ask({ box, points: [] }, null);
  }

  /** Say of a point that it is, or is not, part of the object. */
  askPoint(point) {
    const { box, points } = this.prompts;
    return this.ask({ box, points: [...points, point] }, point);
  }

  async ask(prompts, point) {
    if (!this.canAsk) {
      this.panel.say("SAM cannot be asked about this case. Use brush, eraser or polygon.");
      return;
    }
    const { snapshot, number, index, entry } = this;
    const question = { snapshot, prompts };
    this.pending = question;
    const known = point && snapshot.mask ? this.bitmap().slice() : null;
    const box = prompts.box && !known ? prompts.box : known && extent(known, entry.width, prompts);
    this.panel.wait(true);
    this.viewer.redraw();
    const answer = await this.asker.ask({ number, width: entry.width, prompts, mask: known, box, click: point });
    this.panel.note("answers", ++this.asked);
    const isCurrent =
      this.pending === question && this.number === number && this.index === index && this.snapshot === snapshot;
    if (this.pending === question) this.pending = null;
    this.panel.wait(Boolean(this.pending));
    if (!isCurrent) return; // something else was done in the meantime
    if (!answer) {
      this.viewer.redraw();
      return;
    }
    this.lastTook = answer.took;
    const full = place(answer, entry);
    this.bitmaps[index] = known ? merge(known, full, entry.width, point) : full;
    if (isEmpty(this.bitmaps[index])) this.panel.say("SAM finds nothing here. Drag a box around the object.");
    this.commitBitmap(prompts);
  }

  // ---- keeping and saving -------------------------------------------------------------------------------------

  /** Count the time since the last action. */
  tick() {
    const seconds = this.clock.tick(performance.now());
    this.work.seconds += seconds;
    return seconds;
  }

  /** Store the case that is shown. */
  keep() {
    this.work.started ??= new Date().toISOString();
    return this.write(this.entry.name, toRecord(this.work));
  }

  keepAbout() {
    return this.write(ABOUT, { annotator: this.annotator, number: this.number });
  }

  async write(key, content) {
    if (!this.store) return;
    try {
      await this.store.write(key, content);
      this.panel.note("kept", ++this.kept);
      this.panel.clear("store");
    } catch (error) {
      if (error instanceof ChangedElsewhere) {
        if (key === ABOUT) return;
        this.panel.warn(
          "store",
          "This page is also open in another window, where this case was changed. Close one of the two and reload the other.",
        );
      } else {
        this.panel.warn(
          "store",
          `The browser could not keep the last change (${error?.name ?? error}). Nothing is lost while this page stays open: finish the case and save the file now.`,
        );
      }
    }
  }

  /** Take over the records of an earlier visit. */
  restore(records) {
    this.page.cases.forEach((entry, number) => {
      const work = fromRecord(records.get(entry.name), this.page.classes.length);
      if (work) this.works[number] = work;
    });
    const about = records.get(ABOUT);
    if (about) {
      this.annotator = about.annotator;
      this.number = Math.min(about.number, this.page.cases.length - 1);
    }
  }

  /** Number of finished cases. */
  get finishedCount() {
    return this.works.filter((work) => work.finished).length;
  }

  /** The file with all finished cases: its name and its text. */
  file() {
    const now = new Date().toISOString();
    const who = this.annotator.replace(/[^\p{L}\p{N}]+/gu, "_");
    const name = `${this.page.dataset}-${this.page.task}-${who}-${now.slice(0, 16).replace(/[^0-9]/g, "")}.xml`;
    return { name, text: writeFile(this.page, this.works, this.annotator, now) };
  }

  /**
   * Take the cases of a saved file over, unless they were worked on here.
   * @returns {{taken: string[], kept: string[]}} names of cases
   * @throws {Error} the file is damaged or not for this page; nothing is changed
   */
  openFile(text) {
    const { annotator, works } = readFile(this.page, text);
    this.tick(); // what has passed belongs to the work that is replaced
    const [taken, kept] = [[], []];
    for (const [number, work] of works) {
      const { name } = this.page.cases[number];
      if (untouched(this.works[number]).length < this.page.classes.length) {
        kept.push(name);
        continue;
      }
      this.works[number] = work;
      this.write(name, toRecord(work));
      taken.push(name);
    }
    if (!this.annotator) {
      this.annotator = annotator;
      this.keepAbout();
    }
    return { taken, kept };
  }
}

/** SAM's answer about a part of the image as a bitmap of all of it. */
function place(answer, entry) {
  const full = new Uint8Array(entry.width * entry.height);
  for (let row = 0; row < answer.height; row++) {
    const from = answer.bits.subarray(row * answer.width, (row + 1) * answer.width);
    full.set(from, (answer.top + row) * entry.width + answer.left);
  }
  return full;
}

/** The box around a mask and the points that belong to it. */
function extent(bits, width, prompts) {
  const box = boundsOf(bits, width);
  const inside = prompts.points.filter((point) => point.positive);
  return [
    Math.min(box.left, ...inside.map((point) => point.x)),
    Math.min(box.top, ...inside.map((point) => point.y)),
    Math.max(box.right, ...inside.map((point) => point.x)),
    Math.max(box.bottom, ...inside.map((point) => point.y)),
  ];
}

/**
 * A mask with the part of SAM's answer that a click asked for.
 *
 * Only the connected change under the click is taken over, so that a click never spoils what was right elsewhere.
 */
function merge(known, answer, width, point) {
  const changed = new Uint8Array(known.length);
  for (let i = 0; i < changed.length; i++) changed[i] = point.positive ? answer[i] & ~known[i] : known[i] & ~answer[i];
  const at = Math.floor(point.y) * width + Math.floor(point.x);
  const part = componentAt(changed, width, at);
  for (let i = 0; i < part.length; i++) if (part[i]) known[i] = point.positive ? 1 : 0;
  return known;
}
