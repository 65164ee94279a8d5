/**
 * Reads radiographs from DICOM files: uncompressed, or JPEG baseline. Names and dates are not read.
 */

const UNKNOWN_LENGTH = 0xffffffff;
const LONG = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);
const SYNTAXES = {
  "1.2.840.10008.1.2": { explicit: false },
  "1.2.840.10008.1.2.1": { explicit: true },
  "1.2.840.10008.1.2.4.50": { explicit: true, jpeg: true },
};
const CURE = "export it uncompressed, for example with dcmdjpeg or gdcmconv --raw";
const DICOM_DAMAGED = "cannot be read as DICOM, it is damaged or truncated; export it again";
const TAGS = {
  syntax: 0x00020010, imageLaterality: 0x00200062, laterality: 0x00200060, samples: 0x00280002,
  photometric: 0x00280004, frames: 0x00280008, rows: 0x00280010, columns: 0x00280011, spacing: 0x00280030,
  allocated: 0x00280100, stored: 0x00280101, highBit: 0x00280102, signed: 0x00280103, burnedIn: 0x00280301,
  centre: 0x00281050, windowWidth: 0x00281051, intercept: 0x00281052, slope: 0x00281053, voiFunction: 0x00281056,
  detectorSpacing: 0x00181164, modalityTable: 0x00283000, descriptor: 0x00283002, table: 0x00283006,
  voiTable: 0x00283010, pixels: 0x7fe00010,
};
const NAMES = new Map(Object.entries(TAGS).map(([name, tag]) => [tag, name]));

export function isDicom(bytes, name) {
  return String.fromCharCode(...bytes.subarray(128, 132)) === "DICM" || /\.(dcm|dicom)$/i.test(name);
}

/**
 * The elements that are needed, by their names in TAGS, from `at` to `end`.
 * @returns {{found: Record<string, any>, at: number}} where the reading ended
 */
function readElements(view, at, end, explicit) {
  const found = {};
  while (at + 8 <= end) {
    const group = view.getUint16(at, true);
    const tag = group * 0x10000 + view.getUint16(at + 2, true);
    if (tag === 0xfffee00d || tag === 0xfffee0dd) return { found, at: at + 8 };
    // The first group is always explicit; the others follow the transfer syntax that it names.
    const own = group === 2 || explicit;
    const kind = own ? String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5)) : "";
    const isLong = own && LONG.has(kind);
    const length = own && !isLong ? view.getUint16(at + 6, true) : view.getUint32(at + (isLong ? 8 : 4), true);
    const start = at + (isLong ? 12 : 8);
    const name = NAMES.get(tag);
    if (name === "pixels") return { found: { ...found, pixels: { start, length } }, at: end };
    const nested = kind === "SQ" || length === UNKNOWN_LENGTH || name === "voiTable" || name === "modalityTable";
    if (nested) {
      const inside = readItems(view, start, length, end, own && kind !== "UN");
      if (name) found[name] = inside.items;
      at = inside.at;
    } else {
      if (start + length > end) throw new RangeError();
      if (name) found[name] = { start, length, kind };
      at = start + length;
    }
    if (name === "syntax") {
      const syntax = textOf(view, found.syntax);
      if (!(syntax in SYNTAXES)) throw new Error(`has a compression or encoding that this page cannot read; ${CURE}`);
      explicit = SYNTAXES[syntax].explicit;
    }
  }
  return { found, at };
}

function readItems(view, at, length, end, explicit) {
  const stop = length === UNKNOWN_LENGTH ? end : at + length;
  const items = [];
  while (at + 8 <= stop) {
    const size = view.getUint32(at + 4, true);
    if (view.getUint16(at + 2, true) === 0xe0dd) return { items, at: at + 8 };
    const inside = readElements(view, at + 8, size === UNKNOWN_LENGTH ? stop : at + 8 + size, explicit);
    items.push(inside.found);
    at = size === UNKNOWN_LENGTH ? inside.at : at + 8 + size;
  }
  return { items, at: stop };
}

function textOf(view, element) {
  if (!element) return "";
  const bytes = new Uint8Array(view.buffer, view.byteOffset + element.start, element.length);
  return String.fromCharCode(...bytes).replace(/[\0 ]+$/, "").trim();
}

function numbersOf(view, element) {
  return textOf(view, element).split("\\").filter(Boolean).map(Number);
}

function wholeOf(view, element) {
  return element ? view.getUint16(element.start, true) : 0;
}

/**
 * The grey values of a DICOM file, brighter = higher, and what its header says of them.
 * @param {Uint8Array} bytes
 * @param {number} mostPixels
 * @param {boolean} withVoi apply the window or table of the file
 * @param {(jpeg: Blob) => Promise<{values: Uint8Array, height: number, width: number}>} readJpeg
 */
export async function readDicom(bytes, mostPixels, withVoi, readJpeg) {
  try {
    return await readChecked(bytes, mostPixels, withVoi, readJpeg);
  } catch (error) {
    throw error instanceof RangeError ? new Error(DICOM_DAMAGED) : error;
  }
}

async function readChecked(bytes, mostPixels, withVoi, readJpeg) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasPreamble = String.fromCharCode(...bytes.subarray(128, 132)) === "DICM";
  const explicit = /^[A-Z]{2}$/.test(String.fromCharCode(...bytes.subarray(4, 6)));
  const { found } = readElements(view, hasPreamble ? 132 : 0, bytes.length, explicit);
  const [height, width] = [wholeOf(view, found.rows), wholeOf(view, found.columns)];
  const [allocated, stored] = [wholeOf(view, found.allocated), wholeOf(view, found.stored)];
  const isSigned = wholeOf(view, found.signed) === 1;
  const photometric = textOf(view, found.photometric);
  if (!height || !width || !found.pixels) throw new Error("has no pixel data; export the image itself");
  if (height * width > mostPixels) throw new Error(`has more than ${mostPixels} pixels; resize it`);
  if (numbersOf(view, found.frames)[0] > 1) throw new Error("contains several frames; export only one of them");
  if (!["MONOCHROME1", "MONOCHROME2"].includes(photometric) || (found.samples && wholeOf(view, found.samples) !== 1)) {
    throw new Error("is not a grey image; export it as MONOCHROME2");
  }
  if (![8, 16].includes(allocated)) throw new Error("its pixels do not have 8 or 16 bits; export 8 to 16 bits");
  if (found.modalityTable?.length) {
    throw new Error("has a modality table, which this page cannot apply; use samcarry predict");
  }
  const jpeg = SYNTAXES[textOf(view, found.syntax)]?.jpeg;
  const read = jpeg ? await decodeJpeg(view, found.pixels, readJpeg) : readStored(view, found.pixels, height * width, allocated);
  if (read.length !== height * width) throw new Error("the size of its pixel data differs from its header; export it again");

  const values = Float64Array.from(read);
  const highBit = found.highBit ? wholeOf(view, found.highBit) : stored - 1;
  if (highBit !== stored - 1 && (jpeg || highBit < stored || highBit >= allocated)) {
    throw new Error(
      `HighBit is ${highBit}, but BitsStored is ${stored}: it is not clear which bits hold the grey values; export it again`,
    );
  }
  const above = 31 - highBit;
  const unused = 32 - stored;
  for (let i = 0; i < values.length; i++) {
    values[i] = isSigned ? (values[i] << above) >> unused : (values[i] << above) >>> unused;
  }
  const [slope] = found.slope && found.intercept ? numbersOf(view, found.slope) : [1];
  const [intercept] = found.slope && found.intercept ? numbersOf(view, found.intercept) : [0];
  const least = isSigned ? -(2 ** (stored - 1)) : 0;
  const ends = [least, least + 2 ** stored - 1].map((value) => value * slope + intercept);
  for (let i = 0; i < values.length; i++) values[i] = values[i] * slope + intercept;
  if (withVoi && found.voiTable?.length) applyTable(view, found.voiTable[0], values, ends, isSigned);
  else if (withVoi && found.centre && found.windowWidth) {
    const [centre] = numbersOf(view, found.centre);
    const [across] = numbersOf(view, found.windowWidth);
    applyWindow(values, centre, across, textOf(view, found.voiFunction).toUpperCase() || "LINEAR", ends);
  }
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  if (!(high > low) || !values.every(Number.isFinite)) {
    throw new Error("its rescaling or window is zero or not a finite number; export it again");
  }
  if (photometric === "MONOCHROME1") for (let i = 0; i < values.length; i++) values[i] = low + high - values[i];
  return {
    values, height, width, low, high,
    ...pixelSize(numbersOf(view, found.spacing), numbersOf(view, found.detectorSpacing)),
    sides: [found.imageLaterality, found.laterality].map((element) => textOf(view, element)).filter(Boolean),
    burnedIn: textOf(view, found.burnedIn).toUpperCase() === "YES",
  };
}

function readStored(view, { start, length }, count, allocated) {
  const size = allocated / 8;
  if (length === UNKNOWN_LENGTH || length < count * size) throw new RangeError();
  return Array.from({ length: count }, (_, i) =>
    size === 1 ? view.getUint8(start + i) : view.getUint16(start + 2 * i, true),
  );
}

/** The only frame of encapsulated pixels: its fragments, without the table of offsets before them. */
async function decodeJpeg(view, { start }, readJpeg) {
  const parts = [];
  let at = start;
  while (view.getUint16(at + 2, true) !== 0xe0dd) {
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > view.byteLength) throw new RangeError();
    parts.push(new Uint8Array(view.buffer, view.byteOffset + at + 8, length));
    at += 8 + length;
  }
  return (await readJpeg(new Blob(parts.slice(1), { type: "image/jpeg" }))).values;
}

/** The window of the file; the lower of `ends` is black and the other one white (PS3.3, C.11.2.1). */
function applyWindow(values, centre, width, kind, ends) {
  const [black, white] = [Math.min(...ends), Math.max(...ends)];
  const range = white - black;
  const linear = kind === "LINEAR";
  if (!["LINEAR", "LINEAR_EXACT", "SIGMOID"].includes(kind) || !(width >= (linear ? 1 : Number.MIN_VALUE))) {
    throw new Error("its window cannot be applied; export it again");
  }
  if (linear) [centre, width] = [centre - 0.5, width - 1];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (kind === "SIGMOID") values[i] = range / (1 + Math.exp((-4 * (value - centre)) / width)) + black;
    else if (value <= centre - width / 2) values[i] = black;
    else if (value > centre + width / 2) values[i] = white;
    else values[i] = ((value - centre) / width + 0.5) * range + black;
  }
}

/** The table of the file; `ends` become those of its output. */
function applyTable(view, { descriptor, table }, values, ends, isSigned) {
  const entries = view.getUint16(descriptor.start, true) || 2 ** 16;
  const negative = descriptor.kind ? descriptor.kind === "SS" : isSigned;
  const first = negative ? view.getInt16(descriptor.start + 2, true) : view.getUint16(descriptor.start + 2, true);
  ends[0] = 0;
  ends[1] = 2 ** view.getUint16(descriptor.start + 4, true) - 1;
  if (table.length < 2 * entries) throw new RangeError();
  for (let i = 0; i < values.length; i++) {
    const entry = Math.min(Math.max(roundEven(values[i]) - first, 0), entries - 1);
    values[i] = view.getUint16(table.start + 2 * entry, true);
  }
}

/** The nearest whole number; halves become even, as in NumPy. */
export function roundEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** Height and width of a pixel in mm, and whether they are those at the detector. */
function pixelSize(object, detector) {
  const valid = (pair) => pair.length === 2 && pair.every((side) => Number.isFinite(side) && side > 0);
  const spacing = [object, detector].find(valid) ?? null;
  const near = (one, other) => Math.abs(one - other) <= 1e-8 + 1e-5 * Math.abs(other);
  const atDetector = spacing !== null && valid(detector) && spacing.every((side, i) => near(side, detector[i]));
  return { spacing, atDetector };
}
