/**
 * Masks: bitmaps of 0 and 1 (height × width, one byte a pixel), and the run lengths in which they are kept.
 *
 * Coordinates are continuous, x to the right and y down: the pixel in column 0 and row 0 covers 0 to 1.
 */

/**
 * Run lengths inside a bounding box, row by row, background first: CVAT's encoding. An empty mask is null.
 * @typedef {{left: number, top: number, width: number, height: number, runs: number[]}} Runs
 */

/** The bounding box {left, top, right, bottom} of a bitmap, ends excluded; null if it is empty. */
export function boundsOf(bits, width) {
  let left = width, right = 0, top = -1, bottom = 0;
  for (let start = 0, row = 0; start < bits.length; start += width, row++) {
    const first = bits.subarray(start, start + width).indexOf(1);
    if (first < 0) continue;
    const last = bits.subarray(start, start + width).lastIndexOf(1);
    if (top < 0) top = row;
    bottom = row + 1;
    if (first < left) left = first;
    if (last >= right) right = last + 1;
  }
  return top < 0 ? null : { left, top, right, bottom };
}

/** @returns {Runs | null} */
export function encodeRuns(bits, width) {
  const box = boundsOf(bits, width);
  if (!box) return null;
  const runs = [];
  let value = 0;
  let length = 0;
  for (let row = box.top; row < box.bottom; row++) {
    for (let at = row * width + box.left; at < row * width + box.right; at++) {
      if (bits[at] === value) length++;
      else {
        runs.push(length);
        value = bits[at];
        length = 1;
      }
    }
  }
  runs.push(length);
  return { left: box.left, top: box.top, width: box.right - box.left, height: box.bottom - box.top, runs };
}

/** Draw run lengths into a bitmap that was empty. */
export function decodeRuns(mask, bits, width) {
  if (!mask) return bits;
  let at = 0;
  mask.runs.forEach((length, index) => {
    if (index % 2) {
      for (let i = at; i < at + length; i++) {
        bits[(mask.top + Math.floor(i / mask.width)) * width + mask.left + (i % mask.width)] = 1;
      }
    }
    at += length;
  });
  return bits;
}

/** Set all pixels whose centres are within `radius` of the line from one point to another to `value`. */
export function drawStroke(bits, width, from, to, radius, value) {
  const height = bits.length / width;
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = dx * dx + dy * dy;
  const top = Math.max(Math.floor(Math.min(from.y, to.y) - radius), 0);
  const bottom = Math.min(Math.ceil(Math.max(from.y, to.y) + radius), height);
  const left = Math.max(Math.floor(Math.min(from.x, to.x) - radius), 0);
  const right = Math.min(Math.ceil(Math.max(from.x, to.x) + radius), width);
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const x = column + 0.5 - from.x;
      const y = row + 0.5 - from.y;
      const along = length ? Math.min(Math.max((x * dx + y * dy) / length, 0), 1) : 0;
      if ((x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius * radius) bits[row * width + column] = value;
    }
  }
  return { left, top, right, bottom };
}

/**
 * Set all pixels whose centres are inside a closed polygon (even-odd rule), or on its edge, to `value`.
 *
 * The rule of Python's `fill_polygon`.
 */
export function fillPolygon(bits, width, corners, value) {
  const height = bits.length / width;
  const ys = corners.map((corner) => corner.y);
  const top = Math.max(Math.ceil(Math.min(...ys) - 0.5), 0);
  const bottom = Math.min(Math.floor(Math.max(...ys) - 0.5), height - 1);
  for (let row = top; row <= bottom; row++) {
    const y = row + 0.5;
    const crossings = [];
    corners.forEach((end, index) => {
      const start = corners[(index + corners.length - 1) % corners.length];
      if (start.y <= y !== end.y <= y) {
        crossings.push(start.x + ((y - start.y) / (end.y - start.y)) * (end.x - start.x));
      } else if (start.y === y && end.y === y) {
        fillRow(bits, width, row, Math.min(start.x, end.x), Math.max(start.x, end.x), value);
      }
    });
    crossings.sort((one, other) => one - other);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      fillRow(bits, width, row, crossings[i], crossings[i + 1], value);
    }
  }
}

function fillRow(bits, width, row, from, to, value) {
  const first = Math.max(Math.ceil(from - 0.5), 0);
  const last = Math.min(Math.floor(to - 0.5), width - 1);
  for (let column = first; column <= last; column++) bits[row * width + column] = value;
}

/** The connected component (4 neighbours) of the pixels equal to 1 that holds the index `at`, as a bitmap. */
export function componentAt(bits, width, at) {
  const found = new Uint8Array(bits.length);
  if (!bits[at]) return found;
  const waiting = [at];
  found[at] = 1;
  while (waiting.length) {
    const index = waiting.pop();
    const column = index % width;
    for (const next of [
      column > 0 ? index - 1 : -1,
      column < width - 1 ? index + 1 : -1,
      index - width,
      index + width,
    ]) {
      if (next >= 0 && next < bits.length && bits[next] && !found[next]) {
        found[next] = 1;
        waiting.push(next);
      }
    }
  }
  return found;
}

/** Whether a bitmap has a pixel. */
export function isEmpty(bits) {
  return bits.indexOf(1) < 0;
}

/** A mask of one image at the size of another one: each pixel takes the value of the nearest pixel. */
export function atSize(bits, width, toWidth, toHeight) {
  const height = bits.length / width;
  const result = new Uint8Array(toWidth * toHeight);
  for (let row = 0; row < toHeight; row++) {
    const from = Math.floor(((row + 0.5) * height) / toHeight) * width;
    for (let column = 0; column < toWidth; column++) {
      result[row * toWidth + column] = bits[from + Math.floor(((column + 0.5) * width) / toWidth)];
    }
  }
  return result;
}
