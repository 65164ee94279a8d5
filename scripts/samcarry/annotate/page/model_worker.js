/**
 * Runs a trained network in the background.
 *
 * Messages in: {kind: "network", about, weights}, {kind: "ask", ticket, file, mirror}. Messages out: {kind: "ready"},
 * {kind: "answer", ticket, bits, ...}, {kind: "fault"}.
 */
import { readImage } from "./images.js";
import { decodeHalves, decodeSingles } from "./layers.js";
import { compareLook } from "./look.js";
import { maskAtSize, mirrored, resizeGrey } from "./resize.js";
import { serve } from "./serve.js";
import { makeUnet, predictUnet } from "./unet.js";

let unet = null;

serve({
  network({ about, weights }) {
    unet = makeUnet(about, about.halves ? decodeHalves(weights) : decodeSingles(weights));
    return { kind: "ready" };
  },

  /** Masks of an image file; the network sees the mirrored image if `mirror`. */
  async ask({ ticket, file, mirror }) {
    const begun = performance.now();
    const { size, window, look, mostPixels, classes } = unet.about;
    const { grey, height, width, spacing, atDetector, sides, burnedIn } = await readImage(file, window, mostPixels);
    const seen = resizeGrey(mirror ? mirrored(grey, width) : grey, height, width, ...size);
    const unlike = look ? compareLook(seen, ...size, look) : null;
    const probabilities = predictUnet(unet, seen, ...size);
    const pixels = size[0] * size[1];
    const bits = new Uint8Array(classes.length * height * width);
    classes.forEach((_, index) => {
      const mask = maskAtSize(probabilities.subarray(index * pixels, (index + 1) * pixels), ...size, height, width);
      bits.set(mirror ? mirrored(mask, width) : mask, index * height * width);
    });
    const took = performance.now() - begun;
    return { kind: "answer", ticket, bits, grey, height, width, spacing, atDetector, sides, burnedIn, unlike, took };
  },
});
