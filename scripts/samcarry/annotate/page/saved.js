/**
 * The file that the page saves: CVAT 1.1 XML, and in addition who finished each case, when and how long it took.
 *
 * The last line is a checksum of everything before it, so that a damaged or edited file is noticed.
 */
import { ABSENT, CONFIRMED, CORRECTED } from "./session.js";

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
  let sum = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return ((sum ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
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
