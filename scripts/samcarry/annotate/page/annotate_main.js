/**
 * Starts the page.
 */
import { App } from "./app.js";
import { Asker } from "./asker.js";
import { Panel } from "./panel.js";
import { Store } from "./store.js";
import { Tools } from "./tools.js";
import { rgbOf, Viewer } from "./viewer.js";

/** The text of a data block. */
function read(id) {
  return document.getElementById(id).textContent.trim();
}

async function start() {
  const page = JSON.parse(read("page"));
  page.rgb = page.colours.map(rgbOf);
  const canvas = document.getElementById("image");
  const panel = new Panel(page);
  const app = new App(page, new Viewer(canvas), panel, read);
  const tools = new Tools(app, canvas);
  try {
    app.store = await Store.open(page.id);
    app.restore(await app.store.readAll());
  } catch (error) {
    app.store = null;
    panel.warn(
      "store",
      `This browser does not keep your work (${error?.name ?? error}; a private window?). Save the file before you close the page.`,
    );
  }
  if (page.sam) {
    app.asker = new Asker(read("worker"), { kind: "sam", about: page.sam, weights: read("weights") }, (message) =>
      panel.warn("sam", `SAM cannot be used (${message}). Brush, eraser and polygon work.`),
    );
  }
  if (page.note) panel.warn("note", page.note);
  panel.connect(app, tools);
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
    document.addEventListener(kind, () => app.tick(), { capture: true, passive: true });
  }
  document.addEventListener("visibilitychange", () => {
    app.tick();
    if (document.hidden) {
      app.clock.stop();
      if (app.work.started) app.keep();
    }
  });
  addEventListener("beforeunload", (event) => {
    // Work that the browser keeps is found again; only the rest would be lost.
    if (app.unsaved && (!app.store || document.querySelector('#warnings [data-kind="store"]'))) event.preventDefault();
  });
  await app.showCase(app.number);
  document.documentElement.dataset.ready = "true";
  globalThis.samcarry = { app, tools, panel }; // for tests
}

start().catch((error) => {
  const line = document.createElement("p");
  line.textContent = `This page cannot be shown: ${error.message ?? error}. Its file may be damaged; make it again.`;
  document.getElementById("warnings").append(line);
});
