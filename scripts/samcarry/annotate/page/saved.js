/**
 * The file that the page saves and opens again: CVAT 1.1 XML, and in addition who finished each case, when and how long it took.
 *
 * The last line is a checksum of everything before it, so that a damaged or edited file is noticed.
 */
import { crc32 } from "./crc32.js";
import { ABSENT, CONFIRMED, CORRECTED, newWork } from "./session.js";

/** Version of the additional attributes; Python refuses others. */
export const FILE_VERSION = 1;

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

function escape(text) {
  // Control characters cannot be written in XML at all.
  return String(text)
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, " ")
    .replace(/[&<>"']/g, (sign) => ESCAPES[sign]);
}

function attributes(values) {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escape(value)}"`)
    .join("");
}

/** CRC-32 of the UTF-8 bytes of a text, as eight hexadecimal digits. */
export function checksum(text) {
  return crc32(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
}

/**
 * The finished cases as a file.
 * @param {any} page the description of the page
 * @param {import("./session.js").Work[]} works one per case
 * @param {string} annotator
 * @param {string} now
 */
export function writeFile(page, works, annotator, now) {
  const lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "<version>1.1</version>", "<meta>"];
  lines.push("<task>", "<name>samcarry</name>", "<mode>annotation</mode>", "<labels>");
  page.classes.forEach((name, index) => {
    lines.push(`<label><name>${escape(name)}</name><color>${escape(page.colours[index])}</color></label>`);
  });
  lines.push("</labels>", "</task>");
  const about = { version: FILE_VERSION, dataset: page.dataset, page: page.id, annotator, saved: now };
  lines.push(`<samcarry${attributes(about)}/>`, "</meta>");
  works.forEach((work, number) => {
    if (work.finished) lines.push(...imageLines(page, page.cases[number], work, number));
  });
  lines.push("</annotations>", "");
  const text = lines.join("\n");
  return `${text}<!-- samcarry crc32 ${checksum(text)} -->\n`;
}

function imageLines(page, entry, work, number) {
  const inState = (state) =>
    page.classes.filter((_, index) => work.classes[index].state === state).join(";");
  const head = {
    id: number,
    name: entry.file,
    width: entry.width,
    height: entry.height,
    sha256: entry.sha256,
    started: work.started ?? work.finished,
    finished: work.finished,
    seconds: work.seconds.toFixed(1),
    corrected: inState(CORRECTED),
    confirmed: inState(CONFIRMED),
    absent: inState(ABSENT),
  };
  const lines = [`<image${attributes(head)}>`];
  work.classes.forEach(({ mask, state }, index) => {
    if (!mask) return;
    const { left, top, width, height, runs } = mask;
    const label = page.classes[index];
    const source = state === CONFIRMED ? "auto" : "manual";
    const shape = { label, source, occluded: 0, rle: runs.join(", "), left, top, width, height, z_order: 0 };
    lines.push(`<mask${attributes(shape)}/>`);
  });
  lines.push("</image>");
  return lines;
}

/**
 * The cases of a saved file.
 * @param {any} page the description of the page
 * @param {string} text
 * @returns {{annotator: string, works: Map<number, import("./session.js").Work>}} by the number of the case
 * @throws {Error} the file is damaged, or not for this page; the message says what is wrong and what to do
 */
export function readFile(page, text) {
  const found = /<!-- samcarry crc32 ([0-9a-f]{8}) -->\s*$/.exec(text);
  if (!found && !text.includes("<samcarry ")) throw new Error("was not saved by such a page; choose another file");
  if (!found || checksum(text.slice(0, found.index)) !== found[1]) {
    throw new Error("is cut off or was edited; take another copy of it");
  }
  const xml = new DOMParser().parseFromString(text, "text/xml");
  const about = xml.querySelector("meta > samcarry");
  const version = about?.getAttribute("version");
  if (version !== String(FILE_VERSION)) {
    throw new Error(`has version ${version}, and this page reads ${FILE_VERSION}; open it on the page that saved it`);
  }
  if (about.getAttribute("dataset") !== page.dataset) {
    throw new Error(`is for the data set ${about.getAttribute("dataset")}, and this page for ${page.dataset}`);
  }
  const classes = [...xml.querySelectorAll("labels > label > name")].map((name) => name.textContent);
  if (JSON.stringify(classes) !== JSON.stringify(page.classes)) {
    throw new Error("has other classes than this page; open it on the page that saved it");
  }
  const works = new Map();
  for (const image of xml.querySelectorAll("annotations > image")) {
    const name = image.getAttribute("name");
    const number = page.cases.findIndex((entry) => entry.file === name);
    if (number < 0 || image.getAttribute("sha256") !== page.cases[number].sha256) {
      throw new Error(`has the image ${name}, which this page does not have; open it on the page of its task`);
    }
    works.set(number, workOf(page, image));
  }
  return { annotator: about.getAttribute("annotator"), works };
}

/** The work on one case that an element `image` records. */
function workOf(page, image) {
  const work = newWork(page.classes.length, {});
  const indexOf = (name) => page.classes.indexOf(name);
  for (const state of [CORRECTED, CONFIRMED, ABSENT]) {
    for (const name of image.getAttribute(state).split(";").filter(Boolean)) work.classes[indexOf(name)].state = state;
  }
  for (const element of image.querySelectorAll("mask")) {
    const [left, top, width, height] = ["left", "top", "width", "height"].map((key) => Number(element.getAttribute(key)));
    const runs = element.getAttribute("rle").split(",").map(Number);
    work.classes[indexOf(element.getAttribute("label"))].mask = { left, top, width, height, runs };
  }
  work.started = image.getAttribute("started");
  work.finished = image.getAttribute("finished");
  work.seconds = Number(image.getAttribute("seconds"));
  return work;
}
