/**
 * Which part of an image SAM is asked about: the page may hold embeddings of enlarged parts too.
 */

/** Free space around an object that a part of the image has to show, as a share of the object's extent. */
const MARGIN = 0.25;

/** The extent {left, top, right, bottom} of all that a question is about. */
export function toReach(prompts, box) {
  const inside = prompts.points.filter((point) => point.positive);
  const about = inside.length ? inside : prompts.points;
  const xs = about.map((point) => point.x);
  const ys = about.map((point) => point.y);
  if (box) {
    xs.push(box[0], box[2]);
    ys.push(box[1], box[3]);
  }
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

/**
 * The smallest view that shows the extent with some margin; of several, the one with the nearest centre.
 *
 * The first view is the whole image.
 */
export function pickView(views, extent) {
  const [whole] = views;
  const alongX = MARGIN * (extent.right - extent.left);
  const alongY = MARGIN * (extent.bottom - extent.top);
  const left = Math.max(extent.left - alongX, whole.left);
  const top = Math.max(extent.top - alongY, whole.top);
  const right = Math.min(extent.right + alongX, whole.left + whole.width);
  const bottom = Math.min(extent.bottom + alongY, whole.top + whole.height);
  let best = whole;
  for (const view of views) {
    const fits =
      view.left <= left && view.top <= top && view.left + view.width >= right && view.top + view.height >= bottom;
    if (!fits || view.width * view.height > best.width * best.height) continue;
    const smaller = view.width * view.height < best.width * best.height;
    if (smaller || distance(view, extent) < distance(best, extent)) best = view;
  }
  return best;
}

function distance(view, extent) {
  return Math.hypot(
    view.left + view.width / 2 - (extent.left + extent.right) / 2,
    view.top + view.height / 2 - (extent.top + extent.bottom) / 2,
  );
}
