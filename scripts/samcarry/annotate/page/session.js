/**
 * What the annotator did: masks and states of all cases, undo and redo, and the time on each case.
 *
 * Nothing here touches the page, so that it can be tested alone.
 */

/** A longer pause than this is idle time and does not count, in seconds. */
export const LONGEST_PAUSE = 30;

/** The states of a class, as the file names them. */
export const UNTOUCHED = "untouched";
export const CORRECTED = "corrected";
export const CONFIRMED = "confirmed";
export const ABSENT = "absent";

/**
 * A class of a case at one moment. Snapshots are never changed, only replaced.
 * @typedef {object} Snapshot
 * @property {import("./masks.js").Runs | null} mask null if it has no pixel
 * @property {string} state
 * @property {{box: number[] | null, points: {x: number, y: number, positive: boolean}[]}} prompts asked so far
 */

/** @typedef {{index: number, before: Snapshot, after: Snapshot}[]} Change classes that changed together */

/**
 * @typedef {object} Work the work on one case
 * @property {Snapshot[]} classes
 * @property {Change[]} done changes that can be undone
 * @property {Change[]} undone changes that can be done again
 * @property {string | null} finished when the case was marked as finished
 * @property {string | null} started when it was first worked on
 * @property {number} seconds time on the case without pauses
 */

const NO_PROMPTS = Object.freeze({ box: null, points: Object.freeze([]) });

export const noPrompts = () => NO_PROMPTS;

/** @returns {Work} */
export function newWork(classCount, start) {
  const classes = [];
  for (let index = 0; index < classCount; index++) {
    classes.push({ mask: start[index] ?? null, state: UNTOUCHED, prompts: NO_PROMPTS });
  }
  return { classes, done: [], undone: [], finished: null, started: null, seconds: 0 };
}

/** Replace some classes at once; the case is then not finished any more. */
export function makeChange(work, replaced) {
  const entry = replaced.map(({ index, after }) => ({ index, before: work.classes[index], after }));
  apply(work, entry, "after");
  work.done.push(entry);
  work.undone = [];
  return entry;
}

export function undoChange(work) {
  const entry = work.done.pop();
  if (!entry) return null;
  apply(work, entry, "before");
  work.undone.push(entry);
  return entry;
}

export function redoChange(work) {
  const entry = work.undone.pop();
  if (!entry) return null;
  apply(work, entry, "after");
  work.done.push(entry);
  return entry;
}

function apply(work, entry, side) {
  for (const part of entry) work.classes[part.index] = part[side];
  work.finished = null;
}

/** A new mask of a class, drawn by the annotator; without a pixel the class counts as untouched again. */
export function drawn(mask, prompts = NO_PROMPTS) {
  return { mask, state: mask ? CORRECTED : UNTOUCHED, prompts };
}

/** The class as it would be after "this is right": its mask confirmed, or its absence. */
export function confirmed(snapshot) {
  if (!snapshot.mask) return { ...snapshot, state: ABSENT };
  return snapshot.state === CORRECTED ? snapshot : { ...snapshot, state: CONFIRMED };
}

/** The class without a mask, confirmed as absent. */
export function absent() {
  return { mask: null, state: ABSENT, prompts: NO_PROMPTS };
}

/** Indices of the classes that nobody looked at. */
export function untouched(work) {
  return work.classes.flatMap((snapshot, index) => (snapshot.state === UNTOUCHED ? [index] : []));
}

/** Counts the time between two actions of the annotator, unless it was a pause. */
export class Clock {
  constructor() {
    this.last = null;
  }

  /** @returns {number} seconds to add, at the time `now` in milliseconds */
  tick(now) {
    const passed = this.last === null ? 0 : (now - this.last) / 1000;
    this.last = now;
    return passed > 0 && passed <= LONGEST_PAUSE ? passed : 0;
  }

  stop() {
    this.last = null;
  }
}

/** What is kept of a case; changes that can be undone are not. */
export function toRecord(work) {
  const { classes, finished, started, seconds } = work;
  return { classes, finished, started, seconds };
}

/** The work of a record, or null if the record does not fit the page. */
export function fromRecord(record, classCount) {
  if (!Array.isArray(record?.classes) || record.classes.length !== classCount) return null;
  return { ...toRecord(record), done: [], undone: [] };
}
