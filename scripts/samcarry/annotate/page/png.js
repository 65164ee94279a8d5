/**
 * Reads PNG files by hand, because a canvas would reduce 16 bits to 8.
 */
import { crc32 } from "./crc32.js";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const PNG_DAMAGED = "cannot be read, it is damaged or truncated; replace it";

export function isPng(bytes) {
  return SIGNATURE.every((value, at) => bytes[at] === value);
}

/** Luminance of a colour, as Pillow has it. */
export function luminance(red, green, blue) {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

/**
 * The grey values of a PNG file: 8 bits, or 16 if it is grey with 16 bits.
 * @param {Uint8Array} bytes
 * @param {number} mostPixels
 * @returns {Promise<{values: Uint8Array | Uint16Array, height: number, width: number}>}
 */
export async function readPng(bytes, mostPixels) {
  const { header, palette, data } = splitChunks(bytes);
  const [width, height] = [header.getUint32(0), header.getUint32(4)];
  const [depth, kind, interlaced] = [header.getUint8(8), header.getUint8(9), header.getUint8(12)];
  if (width * height > mostPixels) throw new Error(`has more than ${mostPixels} pixels; resize it`);
  if (interlaced) throw new Error("is an interlaced PNG, which this page cannot read; save it without interlacing");
  if (depth === 16 && kind !== 0) {
    throw new Error("has colours or alpha of 16 bits each; save it as grey with 16 bits, or with 8 bits each");
  }
  const bits = CHANNELS[kind] * depth;
  const line = Math.ceil((bits * width) / 8);
  const rows = unfilter(await inflate(data), height, line, Math.max(bits >> 3, 1));
  const wide = depth === 16;
  const values = new (wide ? Uint16Array : Uint8Array)(width * height);
  const top = 2 ** Math.min(depth, 8) - 1;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const at = row * line + (column * CHANNELS[kind] * depth) / 8; // of 8 and 16 bits
      let value = rows[at];
      if (wide) value = rows[at] * 256 + rows[at + 1];
      else if (kind & 2 && kind !== 3) value = luminance(rows[at], rows[at + 1], rows[at + 2]);
      else if (depth < 8) {
        const first = column * depth;
        value = (rows[row * line + (first >> 3)] >> (8 - depth - (first & 7))) & top;
      }
      if (kind === 3) value = luminance(...palette.subarray(3 * value, 3 * value + 3));
      else if (depth < 8) value = (value * 255) / top;
      values[row * width + column] = value;
    }
  }
  return { values, height, width };
}

/** The header, the palette, and the compressed pixels. */
function splitChunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [header, palette, at] = [null, new Uint8Array(768), SIGNATURE.length];
  const data = [];
  for (let name = ""; name !== "IEND"; ) {
    if (at + 12 > bytes.length) throw new Error(PNG_DAMAGED);
    const size = view.getUint32(at);
    if (at + 12 + size > bytes.length) throw new Error(PNG_DAMAGED);
    name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + size);
    if (crc32(bytes.subarray(at + 4, at + 8 + size)) !== view.getUint32(at + 8 + size)) throw new Error(PNG_DAMAGED);
    if (name === "IHDR") header = new DataView(content.slice().buffer);
    if (name === "PLTE") palette.set(content.subarray(0, 768));
    if (name === "IDAT") data.push(content);
    if (name === "acTL") throw new Error("contains several frames; save only one of them");
    if (name === "eXIf" && isTurned(content)) throw new Error("is turned by its EXIF orientation; save it upright");
    at += 12 + size;
  }
  if (!header || !(header.getUint8(9) in CHANNELS)) throw new Error(PNG_DAMAGED);
  return { header, palette, data };
}

/** Whether EXIF data have another orientation than upright. */
function isTurned(exif) {
  const view = new DataView(exif.slice().buffer);
  const little = view.getUint8(0) === 0x49;
  const start = view.getUint32(4, little);
  for (let entry = 0; entry < view.getUint16(start, little); entry++) {
    const at = start + 2 + 12 * entry;
    if (view.getUint16(at, little) === 0x0112) return view.getUint16(at + 8, little) > 1;
  }
  return false;
}

async function inflate(parts) {
  try {
    const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Error(PNG_DAMAGED);
  }
}

/** Undo the filters of the lines; `step` bytes are between neighbouring pixels. */
function unfilter(data, height, line, step) {
  if (data.length < height * (line + 1)) throw new Error(PNG_DAMAGED);
  const rows = new Uint8Array(height * line);
  for (let row = 0; row < height; row++) {
    const filter = data[row * (line + 1)];
    const to = row * line;
    for (let i = 0; i < line; i++) {
      const left = i < step ? 0 : rows[to + i - step];
      const up = row ? rows[to + i - line] : 0;
      const corner = row && i >= step ? rows[to + i - line - step] : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      rows[to + i] = data[row * (line + 1) + 1 + i] + guess;
    }
  }
  return rows;
}

function paeth(left, up, corner) {
  const base = left + up - corner;
  const [a, b, c] = [Math.abs(base - left), Math.abs(base - up), Math.abs(base - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
