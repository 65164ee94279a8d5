/**
 * Lines at the top of the page. Their texts come from data too, so they are never markup.
 */

/** A warning that stays until its reason is gone; a newer one of the same kind replaces it. */
export function showWarning(kind, text) {
  clearWarning(kind);
  const line = document.createElement("p");
  line.dataset.kind = kind;
  line.textContent = text;
  document.getElementById("warnings").append(line);
}

export function clearWarning(kind) {
  document.querySelector(`#warnings [data-kind="${kind}"]`)?.remove();
}
