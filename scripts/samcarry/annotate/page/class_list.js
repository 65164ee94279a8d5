/**
 * A row of the list of classes, with its colour and a box that hides it.
 *
 * @param {string} name
 * @param {string} colour
 * @param {() => void} onChoose
 * @param {(shown: boolean) => void} onShow
 * @returns {{row: HTMLElement, button: HTMLElement, state: HTMLElement}} `state` is the second line
 */
export function makeClassRow(name, colour, onChoose, onShow) {
  const row = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "class";
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.background = colour;
  const label = document.createElement("span");
  label.className = "name";
  label.textContent = name;
  const state = document.createElement("span");
  state.className = "state";
  button.append(swatch, label, state);
  button.addEventListener("click", onChoose);
  const shown = document.createElement("input");
  shown.type = "checkbox";
  shown.checked = true;
  shown.setAttribute("aria-label", `Show ${name}`);
  shown.addEventListener("change", () => onShow(shown.checked));
  row.append(button, shown);
  return { row, button, state };
}
