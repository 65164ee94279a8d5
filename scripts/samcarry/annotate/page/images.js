/**
 * Reads radiographs as grey values 0..255, as `samcarry predict` does.
 */
import { isDicom, readDicom, roundEven } from "./dicom.js";
import { percentiles } from "./look.js";
import { isPng, luminance, readPng } from "./png.js";

/**
 * @param {File} file
 * @param {[number, number] | null} window percentiles that become black and white
 * @param {number} mostPixels
 * @returns {Promise<{grey: Uint8Array | Uint8ClampedArray, height: number, width: number,
 *   spacing: [number, number] | null, atDetector: boolean, sides: string[], burnedIn: boolean}>}
 *   `sides` is what the header says of left and right
 */
export async function readImage(file, window, mostPixels) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const unknown = { spacing: null, atDetector: false, sides: [], burnedIn: false };
  if (!bytes.length) throw new Error("the file is empty; save it again");
  if (isPng(bytes)) {
    const read = await readPng(bytes, mostPixels);
    return { ...unknown, ...read, grey: asGrey(read.values, window) };
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    const read = await readJpeg(file);
    return { ...unknown, ...read, grey: asGrey(read.values, window) };
  }
  if (isDicom(bytes, file.name)) {
    const read = await readDicom(bytes, mostPixels, window === null, readJpeg);
    return { ...read, grey: window ? stretch(read.values, window) : rescale(read.values, read.low, read.high) };
  }
  throw new Error("is not a PNG, JPEG or DICOM file; convert it, or use samcarry predict, which reads TIFF too");
}

/** The luminance of a JPEG, turned upright. */
async function readJpeg(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new Error("cannot be read, it is damaged or of a kind that browsers do not show; save it again");
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Uint8Array(width * height);
  for (let i = 0; i < values.length; i++) values[i] = luminance(data[4 * i], data[4 * i + 1], data[4 * i + 2]);
  return { values, height, width };
}

/** Grey values of 8 or 16 bits as 0..255. */
function asGrey(values, window) {
  if (window) return stretch(values, window);
  return values instanceof Uint8Array ? values : Uint8Array.from(values, (value) => Math.floor((value + 128) / 257));
}

function stretch(values, window) {
  let [low, high] = percentiles(values, window);
  if (high <= low) [low, high] = percentiles(values, [0, 100]);
  return rescale(values, low, high);
}

function rescale(values, low, high) {
  const range = Math.max(high - low, 2.2250738585072014e-308);
  return Uint8Array.from(values, (value) => roundEven(Math.min(Math.max((value - low) / range, 0), 1) * 255));
}
