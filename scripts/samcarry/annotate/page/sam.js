/**
 * Segment Anything's prompt encoder and mask decoder, in plain JavaScript.
 *
 * The image encoder has run before: the page holds its embeddings. Arrays are row-major Float32Arrays. An image
 * of h × w cells is kept as tokens (h·w, channels).
 *
 * The numbers are those of segment-anything; a test compares the masks with Python's.
 */
import { applyLinear, asLinearOfFour, splitTensors } from "./layers.js";

/** Limit of mask prompts, as in Python: SAM's own logits are rarely larger. */
const LOGIT_LIMIT = 20;

const SAM_MASK_THRESHOLD = 0;

/**
 * The decoder of one SAM.
 * @typedef {object} Sam
 * @property {number} side side of SAM's square input in pixels
 * @property {number} grid cells of the embedding along each side
 * @property {number} dim channels
 * @property {number} heads attention heads
 * @property {number} maskCount masks that the decoder can draw: 1, or 4 (one, and three for doubtful prompts)
 * @property {(name: string) => Linear} linear a layer by its name
 * @property {(name: string) => Float32Array} tensor a tensor by its name
 * @property {Float32Array} cells positional encoding of the cells (grid², dim)
 * @property {Map<string, any>} derived layers in the order in which they are needed here
 */

/**
 * A SAM from its description and weights.
 * @param {{side: number, grid: number, dim: number, heads: number, masks: number,
 *          tensors: [string, number[]][]}} about shapes of the tensors in their order
 * @param {Float32Array} weights all tensors, one after the other
 * @returns {Sam}
 */
export function makeSam(about, weights) {
  const places = splitTensors(about.tensors, weights);
  const tensor = (name) => places.get(name).values;
  const linear = (name) => {
    const { values, shape } = places.get(`${name}.weight`);
    return { weight: values, bias: tensor(`${name}.bias`), inputs: shape[1], outputs: shape[0] };
  };
  const sam = {
    side: about.side,
    grid: about.grid,
    dim: about.dim,
    heads: about.heads,
    maskCount: about.masks,
    tensor,
    linear,
    cells: new Float32Array(0),
    derived: new Map(),
  };
  sam.cells = encodeCells(sam);
  for (const index of [0, 3]) {
    const name = `mask_decoder.output_upscaling.${index}`;
    const { values, shape } = places.get(`${name}.weight`);
    sam.derived.set(name, asLinearOfFour(values, tensor(`${name}.bias`), shape[0], shape[1]));
  }
  for (const index of [0, 3]) {
    const name = `prompt_encoder.mask_downscaling.${index}`;
    const { values, shape } = places.get(`${name}.weight`);
    sam.derived.set(name, asLinearOfPatch(values, tensor(`${name}.bias`), shape[0], shape[1]));
  }
  return sam;
}

/** A 2×2 convolution of stride 2 as a linear layer: its inputs are four pixels' channels. */
function asLinearOfPatch(values, bias, outputs, channels) {
  const weight = new Float32Array(outputs * 4 * channels);
  for (let out = 0; out < outputs; out++) {
    for (let place = 0; place < 4; place++) {
      for (let i = 0; i < channels; i++) {
        weight[out * 4 * channels + place * channels + i] = values[(out * channels + i) * 4 + place];
      }
    }
  }
  return { weight, bias, inputs: 4 * channels, outputs };
}

// ---- layers ---------------------------------------------------------------------------------------------------

/** Normalise each row in place to mean 0 and variance 1, then scale and shift it. */
function normalise(x, weight, bias, epsilon = 1e-5) {
  const size = weight.length;
  for (let start = 0; start < x.length; start += size) {
    let mean = 0;
    for (let i = 0; i < size; i++) mean += x[start + i];
    mean /= size;
    let variance = 0;
    for (let i = 0; i < size; i++) variance += (x[start + i] - mean) ** 2;
    const scale = 1 / Math.sqrt(variance / size + epsilon);
    for (let i = 0; i < size; i++) x[start + i] = (x[start + i] - mean) * scale * weight[i] + bias[i];
  }
  return x;
}

function normaliseBy(sam, name, x, epsilon) {
  return normalise(x, sam.tensor(`${name}.weight`), sam.tensor(`${name}.bias`), epsilon);
}

/** GELU in place; the error function after Abramowitz and Stegun, 7.1.26 (error below 2e-7). */
function gelu(x) {
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    const z = Math.abs(value) * Math.SQRT1_2;
    const t = 1 / (1 + 0.3275911 * z);
    const series =
      t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    const error = 1 - series * Math.exp(-z * z);
    x[i] = 0.5 * value * (1 + (value < 0 ? -error : error));
  }
  return x;
}

function relu(x) {
  for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
  return x;
}

/** The sum of two arrays; the second one is repeated where it is shorter. */
function add(x, y) {
  const sum = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += y.length) {
    for (let i = 0; i < y.length; i++) sum[start + i] = x[start + i] + y[i];
  }
  return sum;
}

/** Attention of `rows` queries to `others` keys and values, of all heads. */
function attend(sam, name, queries, rows, keys, values, others) {
  const layer = sam.linear(`${name}.q_proj`);
  const width = layer.outputs;
  const q = applyLinear(layer, queries, rows);
  const k = applyLinear(sam.linear(`${name}.k_proj`), keys, others);
  const v = applyLinear(sam.linear(`${name}.v_proj`), values, others);
  const size = width / sam.heads;
  const scale = 1 / Math.sqrt(size);
  const scores = new Float32Array(others);
  const attended = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < sam.heads; head++) {
      const from = row * width + head * size;
      let highest = -Infinity;
      for (let other = 0; other < others; other++) {
        const at = other * width + head * size;
        let score = 0;
        for (let i = 0; i < size; i++) score += q[from + i] * k[at + i];
        scores[other] = score * scale;
        if (scores[other] > highest) highest = scores[other];
      }
      let total = 0;
      for (let other = 0; other < others; other++) total += scores[other] = Math.exp(scores[other] - highest);
      for (let other = 0; other < others; other++) {
        const share = scores[other] / total;
        const at = other * width + head * size;
        for (let i = 0; i < size; i++) attended[from + i] += share * v[at + i];
      }
    }
  }
  return applyLinear(sam.linear(`${name}.out_proj`), attended, rows);
}

/** Linear layers with ReLU between them, as segment-anything's MLP. */
function applyMlp(sam, name, x, depth) {
  for (let index = 0; index < depth; index++) {
    const layer = sam.linear(`${name}.layers.${index}`);
    x = applyLinear(layer, x, x.length / layer.inputs);
    if (index < depth - 1) relu(x);
  }
  return x;
}

// ---- prompts --------------------------------------------------------------------------------------------------

/** The positional encoding (dim,) of a place, x and y in 0..1 of SAM's input. */
function encodePlace(sam, x, y) {
  const waves = sam.tensor("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix");
  const count = waves.length / 2;
  const code = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const angle = 2 * Math.PI * ((2 * x - 1) * waves[i] + (2 * y - 1) * waves[count + i]);
    code[i] = Math.sin(angle);
    code[count + i] = Math.cos(angle);
  }
  return code;
}

function encodeCells(sam) {
  const { grid, dim } = sam;
  const cells = new Float32Array(grid * grid * dim);
  for (let row = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      cells.set(encodePlace(sam, (column + 0.5) / grid, (row + 0.5) / grid), (row * grid + column) * dim);
    }
  }
  return cells;
}

/**
 * The tokens of points and a box, in the order of segment-anything.
 * @param {Sam} sam
 * @param {{x: number, y: number, positive: boolean}[]} points in pixels of SAM's input
 * @param {number[] | null} box x0, y0, x1, y1 in pixels of SAM's input
 */
function encodePrompts(sam, points, box) {
  const tokens = [];
  const place = (x, y, kind) =>
    add(
      encodePlace(sam, (x + 0.5) / sam.side, (y + 0.5) / sam.side),
      sam.tensor(`prompt_encoder.point_embeddings.${kind}.weight`),
    );
  for (const point of points) tokens.push(place(point.x, point.y, point.positive ? 1 : 0));
  if (points.length && !box) tokens.push(sam.tensor("prompt_encoder.not_a_point_embed.weight"));
  if (box) tokens.push(place(box[0], box[1], 2), place(box[2], box[3], 3));
  return tokens;
}

/** A mask prompt, logits (4·grid)², as tokens (grid², dim). */
function encodeMask(sam, logits) {
  const { grid, derived } = sam;
  const name = "prompt_encoder.mask_downscaling";
  const patches = new Float32Array(logits.length);
  let at = 0;
  // Each cell's sixteen values one after the other: four groups of 2×2.
  for (let cell = 0; cell < grid * grid; cell++) {
    const top = 4 * Math.floor(cell / grid);
    const left = 4 * (cell % grid);
    for (let group = 0; group < 4; group++) {
      for (let place = 0; place < 4; place++) {
        const row = top + 2 * (group >> 1) + (place >> 1);
        patches[at++] = logits[row * 4 * grid + left + 2 * (group & 1) + (place & 1)];
      }
    }
  }
  let x = applyLinear(derived.get(`${name}.0`), patches, 4 * grid * grid);
  x = gelu(normaliseBy(sam, `${name}.1`, x, 1e-6));
  x = applyLinear(derived.get(`${name}.3`), x, grid * grid);
  x = gelu(normaliseBy(sam, `${name}.4`, x, 1e-6));
  return applyLinear(sam.linear(`${name}.6`), x, grid * grid);
}

/** An embedding (dim, grid, grid) as tokens (grid², dim). */
export function embeddingTokens(sam, embedding) {
  const count = sam.grid * sam.grid;
  const tokens = new Float32Array(count * sam.dim);
  for (let channel = 0; channel < sam.dim; channel++) {
    for (let cell = 0; cell < count; cell++) tokens[cell * sam.dim + channel] = embedding[channel * count + cell];
  }
  return tokens;
}

// ---- the decoder ----------------------------------------------------------------------------------------------

/**
 * SAM's answer to prompts on one image.
 * @param {Sam} sam
 * @param {Float32Array} image tokens of the embedding (grid², dim)
 * @param {{points: {x: number, y: number, positive: boolean}[], box: number[] | null,
 *          logits: Float32Array | null}} prompts in pixels of SAM's input; logits of a mask prompt (4·grid)²
 * @param {boolean} several choose the best of three masks by SAM's own estimate, where the model has them
 * @returns {{logits: Float32Array, quality: number}} logits (4·grid)², and the estimated IoU
 */
export function decodePrompts(sam, image, prompts, several = false) {
  const { dim, grid } = sam;
  const count = grid * grid;
  const sparse = encodePrompts(sam, prompts.points, prompts.box);
  const tokens = new Float32Array((1 + sam.maskCount + sparse.length) * dim);
  tokens.set(sam.tensor("mask_decoder.iou_token.weight"));
  tokens.set(sam.tensor("mask_decoder.mask_tokens.weight"), dim);
  sparse.forEach((token, index) => tokens.set(token, (1 + sam.maskCount + index) * dim));
  const rows = tokens.length / dim;

  const dense = prompts.logits
    ? encodeMask(sam, prompts.logits)
    : sam.tensor("prompt_encoder.no_mask_embed.weight");
  let keys = add(image, dense);
  let queries = tokens;
  const name = "mask_decoder.transformer";
  for (let index = 0; index < 2; index++) {
    const layer = `${name}.layers.${index}`;
    const self = index === 0 ? queries : add(queries, tokens);
    const attended = attend(sam, `${layer}.self_attn`, self, rows, self, queries, rows);
    queries = normaliseBy(sam, `${layer}.norm1`, index === 0 ? attended : add(queries, attended));
    const placed = add(keys, sam.cells);
    const seen = attend(
      sam, `${layer}.cross_attn_token_to_image`, add(queries, tokens), rows, placed, keys, count,
    );
    queries = normaliseBy(sam, `${layer}.norm2`, add(queries, seen));
    const hidden = relu(applyLinear(sam.linear(`${layer}.mlp.lin1`), queries, rows));
    const grown = applyLinear(sam.linear(`${layer}.mlp.lin2`), hidden, rows);
    queries = normaliseBy(sam, `${layer}.norm3`, add(queries, grown));
    const asked = attend(
      sam, `${layer}.cross_attn_image_to_token`, placed, count, add(queries, tokens), queries, rows,
    );
    keys = normaliseBy(sam, `${layer}.norm4`, add(keys, asked));
  }
  const last = attend(
    sam, `${name}.final_attn_token_to_image`, add(queries, tokens), rows, add(keys, sam.cells), keys, count,
  );
  queries = normaliseBy(sam, `${name}.norm_final_attn`, add(queries, last));

  const quality = applyMlp(
    sam, "mask_decoder.iou_prediction_head", queries.slice(0, dim), depthOf(sam, "mask_decoder.iou_prediction_head"),
  );
  let mask = 0;
  if (several && sam.maskCount > 1) {
    mask = [1, 2, 3].reduce((best, index) => (quality[index] > quality[best] ? index : best));
  }
  const weights = applyMlp(
    sam,
    `mask_decoder.output_hypernetworks_mlps.${mask}`,
    queries.slice((1 + mask) * dim, (2 + mask) * dim),
    3,
  );
  return { logits: drawMask(sam, keys, weights), quality: quality[mask] };
}

function depthOf(sam, name) {
  let depth = 0;
  try {
    while (sam.tensor(`${name}.layers.${depth}.weight`)) depth++;
  } catch {
    // There is no further layer.
  }
  return depth;
}

/** The logits (4·grid)² of the mask with these weights. */
function drawMask(sam, keys, weights) {
  const { grid, derived } = sam;
  const name = "mask_decoder.output_upscaling";
  // Pixels stay in the order cell, 2×2 place, 2×2 place within it; only the last step sorts them.
  let x = applyLinear(derived.get(`${name}.0`), keys, grid * grid);
  x = gelu(normaliseBy(sam, `${name}.1`, x, 1e-6));
  x = gelu(applyLinear(derived.get(`${name}.3`), x, 4 * grid * grid));
  const size = weights.length;
  const logits = new Float32Array(16 * grid * grid);
  for (let pixel = 0; pixel < logits.length; pixel++) {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += x[pixel * size + i] * weights[i];
    const cell = pixel >> 4;
    const row = 4 * Math.floor(cell / grid) + 2 * ((pixel >> 3) & 1) + ((pixel >> 1) & 1);
    const column = 4 * (cell % grid) + 2 * ((pixel >> 2) & 1) + (pixel & 1);
    logits[row * 4 * grid + column] = sum;
  }
  return logits;
}

// ---- from and to pixels of the image --------------------------------------------------------------------------

/**
 * A part of an image as SAM sees it: `left`, `top`, `width`, `height` in pixels of the image, and the `rows` and
 * `columns` that it takes in SAM's square input.
 * @typedef {{left: number, top: number, width: number, height: number, rows: number, columns: number}} View
 */

/** Prompts in pixels of the image, in pixels of SAM's input. */
export function intoInput(view, points, box) {
  const alongX = view.columns / view.width;
  const alongY = view.rows / view.height;
  const x = (value) => (value - view.left) * alongX;
  const y = (value) => (value - view.top) * alongY;
  return {
    points: points.map((point) => ({ x: x(point.x), y: y(point.y), positive: point.positive })),
    box: box && [x(box[0]), y(box[1]), x(box[2]), y(box[3])],
  };
}

/** Where bilinear interpolation from `from` to `to` samples reads: two places and the share of the second. */
function samples(from, to) {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const share = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const place = Math.max(((i + 0.5) * from) / to - 0.5, 0);
    first[i] = Math.floor(place);
    second[i] = Math.min(first[i] + 1, from - 1);
    share[i] = place - first[i];
  }
  return { first, second, share };
}

/** Values (rows, columns), part of rows that are `stride` long, at another size (height, width), bilinearly. */
function enlarge(values, stride, rows, columns, height, width) {
  const vertical = samples(rows, height);
  const horizontal = samples(columns, width);
  const result = new Float32Array(height * width);
  for (let row = 0; row < height; row++) {
    const above = vertical.first[row] * stride;
    const below = vertical.second[row] * stride;
    const down = vertical.share[row];
    for (let column = 0; column < width; column++) {
      const left = horizontal.first[column];
      const right = horizontal.second[column];
      const across = horizontal.share[column];
      const upper = values[above + left] * (1 - across) + values[above + right] * across;
      const lower = values[below + left] * (1 - across) + values[below + right] * across;
      result[row * width + column] = upper * (1 - down) + lower * down;
    }
  }
  return result;
}

/**
 * The mask of low-resolution logits in the pixels of a view, 0 or 1.
 *
 * As segment-anything does it: to SAM's input, without the padding, to the size of the view.
 */
export function maskOfLogits(sam, logits, view) {
  const low = 4 * sam.grid;
  const input = enlarge(logits, low, low, low, sam.side, sam.side);
  const full = enlarge(input, sam.side, view.rows, view.columns, view.height, view.width);
  const mask = new Uint8Array(full.length);
  for (let i = 0; i < mask.length; i++) mask[i] = full[i] > SAM_MASK_THRESHOLD ? 1 : 0;
  return mask;
}

/**
 * A mask as a mask prompt (4·grid)² of a view: the share that it covers of each cell, as logits.
 * @param {Sam} sam
 * @param {Uint8Array} mask of the whole image, `stride` pixels a row
 * @param {number} stride
 * @param {View} view
 */
export function logitsOfMask(sam, mask, stride, view) {
  const low = 4 * sam.grid;
  const perCell = sam.side / low;
  const logits = new Float32Array(low * low).fill(-LOGIT_LIMIT);
  const edge = (cell, extent, inInput) => Math.min(Math.round((cell * perCell * extent) / inInput), extent);
  for (let row = 0; row * perCell < view.rows; row++) {
    const top = edge(row, view.height, view.rows);
    const bottom = Math.max(edge(row + 1, view.height, view.rows), Math.min(top + 1, view.height));
    for (let column = 0; column * perCell < view.columns; column++) {
      const left = edge(column, view.width, view.columns);
      const right = Math.max(edge(column + 1, view.width, view.columns), Math.min(left + 1, view.width));
      let covered = 0;
      for (let y = top; y < bottom; y++) {
        const start = (view.top + y) * stride + view.left;
        for (let x = left; x < right; x++) covered += mask[start + x];
      }
      const share = covered / Math.max((bottom - top) * (right - left), 1);
      logits[row * low + column] = LOGIT_LIMIT * (2 * share - 1);
    }
  }
  return logits;
}

/** What a click makes certain, in logits. */
const CERTAIN = 2;

/**
 * How far a click reaches (standard deviation), as a multiple of its distance to where the mask is as it should be.
 * With this value, a robot came nearest to the truth in five clicks, out of 0.7, 1, 1.5, 2 and 2.5.
 */
const REACH = 2;

/** The least reach, in cells of the low-resolution mask. */
const LEAST_REACH = 1.5;

/**
 * Make an answer follow a click, in place: small models listen to boxes more than to points.
 *
 * The logits around the click are raised (or lowered) until the click has its will; edges further away stay
 * SAM's. How far this reaches depends on how wrong the mask was: on the distance from the click to the nearest
 * pixel that the mask has (or has not) as the click wants it.
 *
 * @param {Sam} sam
 * @param {Float32Array} logits (4·grid)²
 * @param {View} view
 * @param {{x: number, y: number, positive: boolean}} click in pixels of the image
 * @param {Uint8Array | null} mask before the click, of the whole image
 * @param {number} stride pixels a row of the mask
 */
export function followClick(sam, logits, view, click, mask, stride) {
  const low = 4 * sam.grid;
  const perCell = sam.side / low;
  const alongX = view.columns / view.width / perCell;
  const alongY = view.rows / view.height / perCell;
  const x = (click.x - view.left) * alongX - 0.5;
  const y = (click.y - view.top) * alongY - 0.5;
  const at = (value) => Math.min(Math.max(Math.round(value), 0), low - 1);
  const sign = click.positive ? 1 : -1;
  const missing = CERTAIN - sign * logits[at(y) * low + at(x)];
  if (missing <= 0) return;
  const cell = 1 / Math.min(alongX, alongY);
  const reach = Math.max(REACH * (mask ? distanceTo(mask, stride, click) : 0), LEAST_REACH * cell);
  for (let row = 0; row < low; row++) {
    for (let column = 0; column < low; column++) {
      const far = ((column - x) / alongX) ** 2 + ((row - y) / alongY) ** 2;
      logits[row * low + column] += sign * missing * Math.exp(-far / (2 * reach * reach));
    }
  }
}

/** Distance from a click to the nearest pixel of the mask that is as the click wants it; 0 if there is none. */
function distanceTo(mask, stride, click) {
  const wanted = click.positive ? 1 : 0;
  let nearest = Infinity;
  for (let start = 0, row = 0; start < mask.length; start += stride, row++) {
    const down = (row + 0.5 - click.y) ** 2;
    if (down >= nearest) continue;
    for (let column = 0; column < stride; column++) {
      if (mask[start + column] !== wanted) continue;
      const far = down + (column + 0.5 - click.x) ** 2;
      if (far < nearest) nearest = far;
    }
  }
  return Number.isFinite(nearest) ? Math.sqrt(nearest) : 0;
}
