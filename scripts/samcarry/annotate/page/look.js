/**
 * Whether an image looks like the training images: the rules of Python's `training_look`.
 */
import { resizeGrey } from "./resize.js";

const TILES = 6;
const SCALES = 3;
const ONE = 1.6;
const TOGETHER = 1.3;
const DARK = 64;

/** Values at some percentiles, as NumPy interpolates them. */
export function percentiles(values, wanted) {
  const sorted = values.slice().sort();
  return wanted.map((percent) => {
    const place = (percent / 100) * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
  });
}

const MEASURES = {
  "grey values": (grey) => percentiles(grey, [5, 25, 50, 75, 95]).map((value) => value / 255),

  contrast(grey, height, width) {
    let values = Float64Array.from(grey, (value) => value / 255);
    const found = [];
    for (let scale = 0; scale < SCALES; scale++) {
      found.push(Math.log(meanStep(values, height, width) + 1e-3));
      if (height < 2 || width < 2) continue;
      const [rows, columns] = [height >> 1, width >> 1];
      const next = new Float64Array(rows * columns);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const at = 2 * row * width + 2 * column;
          next[row * columns + column] = (values[at] + values[at + 1] + values[at + width] + values[at + width + 1]) / 4;
        }
      }
      [values, height, width] = [next, rows, columns];
    }
    return found;
  },

  layout(grey, height, width) {
    const tiles = resizeGrey(grey, height, width, TILES, TILES);
    const mean = tiles.reduce((sum, value) => sum + value, 0) / tiles.length;
    const variance = tiles.reduce((sum, value) => sum + (value - mean) ** 2, 0) / tiles.length;
    return Array.from(tiles, (value) => (value - mean) / Math.max(Math.sqrt(variance), 1));
  },
};

/** The sum of the mean steps to the right and down. */
function meanStep(values, height, width) {
  let [right, down] = [0, 0];
  for (let at = 0; at < values.length; at++) {
    if ((at + 1) % width) right += Math.abs(values[at + 1] - values[at]);
    if (at + width < values.length) down += Math.abs(values[at + width] - values[at]);
  }
  return right / Math.max(height * (width - 1), 1) + down / Math.max((height - 1) * width, 1);
}

function mahalanobis(numbers, { mean, precision }) {
  const offset = numbers.map((value, i) => value - mean[i]);
  const sum = offset.reduce((total, own, i) => total + own * precision[i].reduce((t, p, j) => t + p * offset[j], 0), 0);
  return Math.sqrt(Math.max(sum, 0) / offset.length);
}

function scoreLook(grey, height, width, look) {
  const inflation = 1 + 2 / look.images;
  const ratios = Object.entries(MEASURES).map(([name, measure]) => {
    const known = look.measures[name];
    return [name, mahalanobis(measure(grey, height, width), known) / known.usual / inflation];
  });
  const largest = Math.max(...ratios.map(([, ratio]) => ratio));
  const together = Math.sqrt(ratios.reduce((sum, [, ratio]) => sum + ratio ** 2, 0) / ratios.length);
  const limit = Math.min(ONE, largest);
  return {
    score: Math.max(largest / ONE, together / TOGETHER),
    parts: ratios.filter(([, ratio]) => ratio >= limit).map(([name]) => name),
  };
}

/**
 * How unlike the training images a prepared image is: above 1 it is unlike them, and `reason` says in what.
 * @returns {{score: number, reason: string}}
 */
export function compareLook(grey, height, width, look) {
  const { score, parts } = scoreLook(grey, height, width, look);
  if (score <= 1) return { score, reason: "" };
  const last = parts.pop();
  const what = parts.length ? `${parts.join(", ")} and ${last}` : last;
  return { score, reason: `${what} unlike the training images${whatIsWrong(grey, height, width, look)}` };
}

/** What is probably wrong; '' if that is not clear. */
function whatIsWrong(grey, height, width, look) {
  const [least, nearlyMost, most] = percentiles(grey, [0, 99, 100]);
  if (least === most) return ": it is blank";
  if (nearlyMost < DARK) return ": it has dark grey values only; these may be 12 bits in a 16-bit file";
  const swapped = grey.map((value) => 255 - value);
  if (scoreLook(swapped, height, width, look).score <= 1) return ": it would be like them with black and white swapped";
  const turned = grey.slice().reverse();
  if (scoreLook(turned, height, width, look).score <= 1) return ": it would be like them turned by 180 degrees";
  return "";
}
