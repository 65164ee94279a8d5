/**
 * The U-Net of samcarry in plain JavaScript.
 *
 * Images are kept as (height, width, channels), row-major. The numbers are those of torch; a test compares the
 * masks with Python's.
 */
import { applyLinear, asLinearOfFour, splitTensors } from "./layers.js";

const EPSILON = 1e-5; // of torch's InstanceNorm2d
const SLOPE = 0.01; // of torch's LeakyReLU

/** @typedef {{values: Float32Array, height: number, width: number, channels: number}} Maps */

/**
 * A U-Net from its description and weights.
 * @param {{depth: number, mean: number, std: number, tensors: [string, number[]][]}} about
 * @param {Float32Array} weights all tensors, one after the other
 */
export function makeUnet(about, weights) {
  const tensors = splitTensors(about.tensors, weights);
  const tensor = (name) => tensors.get(name).values;
  const block = (name) =>
    [0, 3].map((index) => {
      const { values, shape } = tensors.get(`${name}.${index}.weight`);
      const norm = `${name}.${index + 1}`;
      return {
        ...asRows(values, tensor(`${name}.${index}.bias`), shape[0], shape[1]),
        scale: tensor(`${norm}.weight`),
        shift: tensor(`${norm}.bias`),
      };
    });
  const levels = [...Array(about.depth).keys()];
  const head = tensors.get("head.weight");
  return {
    about,
    encoder: [...levels, about.depth].map((level) => block(`encoder.${level}`)),
    decoder: levels.map((level) => block(`decoder.${level}`)),
    upsampling: levels.map((level) => {
      const { values, shape } = tensors.get(`upsampling.${level}.weight`);
      return asLinearOfFour(values, tensor(`upsampling.${level}.bias`), shape[0], shape[1]);
    }),
    head: { weight: head.values, bias: tensor("head.bias"), inputs: head.shape[1], outputs: head.shape[0] },
  };
}

/**
 * A 3×3 convolution, weight (outputs, inputs, 3, 3), with each output's weights in the order row, column, input.
 *
 * Outputs are filled up to a multiple of four with zeros.
 */
function asRows(values, bias, outputs, inputs) {
  const filled = (outputs + 3) & ~3;
  const weight = new Float32Array(filled * 9 * inputs);
  for (let out = 0; out < outputs; out++) {
    for (let i = 0; i < inputs; i++) {
      for (let place = 0; place < 9; place++) {
        weight[(out * 9 + place) * inputs + i] = values[(out * inputs + i) * 9 + place];
      }
    }
  }
  const biases = new Float32Array(filled);
  biases.set(bias);
  return { weight, bias: biases, inputs, outputs };
}

/**
 * Probabilities times 255 of a grey image (height, width), 0..255: (class, height, width).
 * @returns {Uint8Array}
 */
export function predictUnet(unet, grey, height, width) {
  const { depth, mean, std } = unet.about;
  const values = Float32Array.from(grey, (value) => (Math.fround(value / 255) - mean) / std);
  let maps = { values, height, width, channels: 1 };
  const skips = [];
  unet.encoder.forEach((layers, level) => {
    maps = applyBlock(layers, level ? halve(maps) : maps);
    skips.push(maps);
  });
  for (let level = depth - 1; level >= 0; level--) {
    maps = applyBlock(unet.decoder[level], join(skips[level], double(unet.upsampling[level], maps)));
  }
  const logits = applyLinear(unet.head, maps.values, height * width);
  const classes = unet.head.outputs;
  const probabilities = new Uint8Array(logits.length);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let index = 0; index < classes; index++) {
      const share = 1 / (1 + Math.exp(-logits[pixel * classes + index]));
      probabilities[index * height * width + pixel] = Math.round(255 * share);
    }
  }
  return probabilities;
}

/** Two convolutions, each normalised and followed by LeakyReLU. */
function applyBlock(layers, maps) {
  for (const layer of layers) {
    maps = convolve(layer, maps);
    normaliseMaps(layer, maps);
  }
  return maps;
}

/** A 3×3 convolution with zeros around the image; two pixels and four outputs at a time. */
function convolve(layer, { values, height, width }) {
  const { weight, bias, inputs, outputs } = layer;
  const even = (width + 1) & ~1;
  const line = (even + 2) * inputs;
  const padded = new Float32Array((height + 2) * line);
  for (let row = 0; row < height; row++) {
    padded.set(values.subarray(row * width * inputs, (row + 1) * width * inputs), (row + 1) * line + inputs);
  }
  const span = 3 * inputs;
  const result = new Float32Array(height * width * outputs);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < even; column += 2) {
      const start = row * line + column * inputs;
      const to = (row * width + column) * outputs;
      const second = column + 1 < width;
      for (let out = 0; out < outputs; out += 4) {
        let a0 = bias[out], a1 = bias[out + 1], a2 = bias[out + 2], a3 = bias[out + 3];
        let b0 = a0, b1 = a1, b2 = a2, b3 = a3;
        for (let part = 0; part < 3; part++) {
          const x = start + part * line;
          const w0 = (3 * out + part) * span;
          const w1 = w0 + 3 * span;
          const w2 = w1 + 3 * span;
          const w3 = w2 + 3 * span;
          for (let i = 0; i < span; i++) {
            const p = padded[x + i];
            const q = padded[x + inputs + i];
            const u0 = weight[w0 + i], u1 = weight[w1 + i], u2 = weight[w2 + i], u3 = weight[w3 + i];
            a0 += p * u0; a1 += p * u1; a2 += p * u2; a3 += p * u3;
            b0 += q * u0; b1 += q * u1; b2 += q * u2; b3 += q * u3;
          }
        }
        const count = Math.min(4, outputs - out);
        const sums = [a0, a1, a2, a3, b0, b1, b2, b3];
        for (let k = 0; k < count; k++) {
          result[to + out + k] = sums[k];
          if (second) result[to + outputs + out + k] = sums[4 + k];
        }
      }
    }
  }
  return { values: result, height, width, channels: outputs };
}

/** Normalise each channel in place to mean 0 and variance 1, scale and shift it, and apply LeakyReLU. */
function normaliseMaps({ scale, shift }, { values, channels }) {
  const count = values.length / channels;
  for (let channel = 0; channel < channels; channel++) {
    let mean = 0;
    for (let at = channel; at < values.length; at += channels) mean += values[at];
    mean /= count;
    let variance = 0;
    for (let at = channel; at < values.length; at += channels) variance += (values[at] - mean) ** 2;
    const factor = scale[channel] / Math.sqrt(variance / count + EPSILON);
    for (let at = channel; at < values.length; at += channels) {
      const value = (values[at] - mean) * factor + shift[channel];
      values[at] = value < 0 ? SLOPE * value : value;
    }
  }
}

/** The largest of each 2×2 pixels. */
function halve({ values, height, width, channels }) {
  const small = new Float32Array(values.length / 4);
  let to = 0;
  for (let row = 0; row < height; row += 2) {
    for (let column = 0; column < width; column += 2) {
      const upper = (row * width + column) * channels;
      const lower = upper + width * channels;
      for (let i = 0; i < channels; i++) {
        small[to++] = Math.max(
          values[upper + i], values[upper + channels + i], values[lower + i], values[lower + channels + i],
        );
      }
    }
  }
  return { values: small, height: height / 2, width: width / 2, channels };
}

/** A transposed 2×2 convolution of stride 2. */
function double(layer, { values, height, width }) {
  const four = applyLinear(layer, values, height * width);
  const channels = layer.outputs / 4;
  const large = new Float32Array(four.length);
  for (let row = 0; row < 2 * height; row++) {
    for (let column = 0; column < 2 * width; column++) {
      const from = (((row >> 1) * width + (column >> 1)) * 4 + 2 * (row & 1) + (column & 1)) * channels;
      large.set(four.subarray(from, from + channels), (row * 2 * width + column) * channels);
    }
  }
  return { values: large, height: 2 * height, width: 2 * width, channels };
}

/** The channels of one after those of another. */
function join(one, other) {
  const channels = one.channels + other.channels;
  const both = new Float32Array(one.height * one.width * channels);
  for (let pixel = 0; pixel < one.height * one.width; pixel++) {
    const here = pixel * one.channels;
    const there = pixel * other.channels;
    both.set(one.values.subarray(here, here + one.channels), pixel * channels);
    both.set(other.values.subarray(there, there + other.channels), pixel * channels + one.channels);
  }
  return { values: both, height: one.height, width: one.width, channels };
}
