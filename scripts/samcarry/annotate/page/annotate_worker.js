/**
 * Runs SAM in the background, so that the page is never blocked.
 *
 * Messages in: {kind: "sam", about, weights}, {kind: "case", number, views, embeddings}, {kind: "ask", ticket,
 * number, width, prompts, mask, box, click}. Messages out: {kind: "ready"}, {kind: "answer", ticket, ...}, {kind: "fault"}.
 */
import { decodeHalves } from "./layers.js";
import {
  decodePrompts,
  embeddingTokens,
  followClick,
  intoInput,
  logitsOfMask,
  makeSam,
  maskOfLogits,
} from "./sam.js";
import { serve } from "./serve.js";
import { pickView, toReach } from "./views.js";

let sam = null;
/** The views of the case that is shown, with their tokens. @type {{number: number, views: any[]}} */
let shown = { number: -1, views: [] };

const handlers = {
  sam({ about, weights }) {
    sam = makeSam(about, decodeHalves(weights));
    return { kind: "ready" };
  },

  case({ number, views, embeddings }) {
    shown = { number, views: views.map((view, index) => ({ ...view, text: embeddings[index], tokens: null })) };
    return null;
  },

  ask({ ticket, number, width, prompts, mask, box, click }) {
    if (number !== shown.number) return { kind: "answer", ticket, bits: null };
    const begun = performance.now();
    const view = pickView(shown.views, toReach(prompts, box));
    if (!view.tokens) {
      view.tokens = embeddingTokens(sam, decodeHalves(view.text));
      view.text = null;
    }
    const logits = mask ? logitsOfMask(sam, mask, width, view) : null;
    const several = prompts.points.length === 1 && !box && !mask;
    const answer = decodePrompts(sam, view.tokens, { ...intoInput(view, prompts.points, box), logits }, several);
    if (click) followClick(sam, answer.logits, view, click, mask, width);
    const bits = maskOfLogits(sam, answer.logits, view);
    const { left, top, width: across, height } = view;
    const took = performance.now() - begun;
    return { kind: "answer", ticket, bits, left, top, width: across, height, quality: answer.quality, took };
  },
};

serve(handlers);
