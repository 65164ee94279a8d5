/**
 * Resizing of grey values as Pillow does it (bilinear, with antialiasing), bit by bit; and masks from probabilities.
 */

const BITS = 22; // Pillow's fixed-point weights
const THRESHOLD = 127; // a probability of 0.5 in 8 bits; foreground is above it

/** For each of `to` pixels: where it begins to read `from` pixels, and its fixed-point weights. */
function weightsOf(from, to) {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const found = [];
  for (let place = 0; place < to; place++) {
    const centre = (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support + 0.5), from);
    const shares = [];
    for (let at = first; at < last; at++) {
      shares.push(Math.max(1 - Math.abs((at - centre + 0.5) / support), 0));
    }
    const sum = shares.reduce((total, share) => total + share, 0);
    found.push({ first, weights: Int32Array.from(shares, (share) => Math.trunc((share / sum) * 2 ** BITS + 0.5)) });
  }
  return found;
}

/** Grey values (height, width) at another width. */
function resizeAcross(values, height, width, to) {
  const result = new Uint8ClampedArray(height * to);
  weightsOf(width, to).forEach(({ first, weights }, column) => {
    for (let row = 0; row < height; row++) {
      const start = row * width + first;
      let sum = 1 << (BITS - 1);
      for (let i = 0; i < weights.length; i++) sum += values[start + i] * weights[i];
      result[row * to + column] = sum >> BITS;
    }
  });
  return result;
}

/** Grey values (height, width) at another height. */
function resizeDown(values, height, width, to) {
  const result = new Uint8ClampedArray(to * width);
  weightsOf(height, to).forEach(({ first, weights }, row) => {
    for (let column = 0; column < width; column++) {
      const start = first * width + column;
      let sum = 1 << (BITS - 1);
      for (let i = 0; i < weights.length; i++) sum += values[start + i * width] * weights[i];
      result[row * width + column] = sum >> BITS;
    }
  });
  return result;
}

/** Grey values (height, width) at another size. @returns {Uint8ClampedArray} */
export function resizeGrey(values, height, width, toHeight, toWidth) {
  // Each direction rounds, so their order matters. Pillow 13 begins with the one that shrinks the image much more.
  if (toHeight < height && height - toHeight > 2 * (width - toWidth)) {
    return resizeAcross(resizeDown(values, height, width, toHeight), toHeight, width, toWidth);
  }
  return resizeDown(resizeAcross(values, height, width, toWidth), height, toWidth, toHeight);
}

/** A probability map 0..255 at another size and thresholded at 0.5; a class that is there never disappears. */
export function maskAtSize(values, height, width, toHeight, toWidth) {
  const mask = new Uint8Array(toHeight * toWidth);
  if (!values.some((value) => value > THRESHOLD)) return mask;
  const large = resizeGrey(values, height, width, toHeight, toWidth);
  const limit = Math.min(THRESHOLD, large.reduce((most, value) => Math.max(most, value), 0) - 1);
  for (let i = 0; i < mask.length; i++) mask[i] = large[i] > limit ? 1 : 0;
  return mask;
}

/** An image or mask with left and right swapped. */
export function mirrored(values, width) {
  const result = values.slice();
  for (let start = 0; start < result.length; start += width) result.subarray(start, start + width).reverse();
  return result;
}
