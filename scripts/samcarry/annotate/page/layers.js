/**
 * What all networks of the pages need: numbers from texts, and linear layers.
 *
 * Arrays are row-major Float32Arrays.
 */

/**
 * One linear layer, weight (outputs, inputs).
 * @typedef {{weight: Float32Array, bias: Float32Array, inputs: number, outputs: number}} Linear
 */

/** Half-precision numbers as single precision. */
export function fromHalf(halves) {
  const numbers = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const bits = halves[i];
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction ? NaN : Infinity
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    numbers[i] = bits & 0x8000 ? -size : size;
  }
  return numbers;
}

/** Bytes of a base64 text. */
export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Single-precision numbers of a base64 text of half-precision ones. */
export function decodeHalves(text) {
  return fromHalf(new Uint16Array(fromBase64(text).buffer));
}

/** Single-precision numbers of a base64 text. */
export function decodeSingles(text) {
  return new Float32Array(fromBase64(text).buffer);
}

/**
 * Tensors that lie one after the other.
 * @param {[string, number[]][]} shapes their names and shapes, in this order
 * @param {Float32Array} weights
 * @returns {Map<string, {values: Float32Array, shape: number[]}>}
 */
export function splitTensors(shapes, weights) {
  const tensors = new Map();
  let start = 0;
  for (const [name, shape] of shapes) {
    const size = shape.reduce((product, extent) => product * extent, 1);
    tensors.set(name, { values: weights.subarray(start, start + size), shape });
    start += size;
  }
  return tensors;
}

/** A transposed 2×2 convolution of stride 2 as a linear layer: its outputs are four pixels' channels. */
export function asLinearOfFour(values, bias, inputs, channels) {
  const weight = new Float32Array(4 * channels * inputs);
  const biases = new Float32Array(4 * channels);
  for (let place = 0; place < 4; place++) {
    for (let out = 0; out < channels; out++) {
      biases[place * channels + out] = bias[out];
      for (let i = 0; i < inputs; i++) {
        weight[(place * channels + out) * inputs + i] = values[(i * channels + out) * 4 + place];
      }
    }
  }
  return { weight, bias: biases, inputs, outputs: 4 * channels };
}

/** A linear layer applied to each of `rows` rows; two rows and four outputs at a time, which is fastest. */
export function applyLinear(layer, x, rows) {
  const { weight, bias, inputs, outputs } = layer;
  const result = new Float32Array(rows * outputs);
  const evenRows = rows & ~1;
  const fours = outputs & ~3;
  for (let row = 0; row < evenRows; row += 2) {
    const a = row * inputs;
    const b = a + inputs;
    for (let out = 0; out < fours; out += 4) {
      const w0 = out * inputs;
      const w1 = w0 + inputs;
      const w2 = w1 + inputs;
      const w3 = w2 + inputs;
      let a0 = bias[out], a1 = bias[out + 1], a2 = bias[out + 2], a3 = bias[out + 3];
      let b0 = a0, b1 = a1, b2 = a2, b3 = a3;
      for (let i = 0; i < inputs; i++) {
        const p = x[a + i];
        const q = x[b + i];
        const u0 = weight[w0 + i], u1 = weight[w1 + i], u2 = weight[w2 + i], u3 = weight[w3 + i];
        a0 += p * u0; a1 += p * u1; a2 += p * u2; a3 += p * u3;
        b0 += q * u0; b1 += q * u1; b2 += q * u2; b3 += q * u3;
      }
      let to = row * outputs + out;
      result[to] = a0; result[to + 1] = a1; result[to + 2] = a2; result[to + 3] = a3;
      to += outputs;
      result[to] = b0; result[to + 1] = b1; result[to + 2] = b2; result[to + 3] = b3;
    }
  }
  for (let row = 0; row < rows; row++) {
    for (let out = row < evenRows ? fours : 0; out < outputs; out++) {
      let sum = bias[out];
      for (let i = 0; i < inputs; i++) sum += x[row * inputs + i] * weight[out * inputs + i];
      result[row * outputs + out] = sum;
    }
  }
  return result;
}
