/**
 * Everything around the image: cases, classes and their states, tools, messages and dialogs.
 *
 * Names come from data. They are set as text and never as markup.
 */
import { makeClassRow } from "./class_list.js";
import { ABSENT, CONFIRMED, CORRECTED, UNTOUCHED, untouched } from "./session.js";
import { clearWarning, showWarning } from "./warnings.js";

const SIGNS = { [UNTOUCHED]: "○", [CORRECTED]: "✎", [CONFIRMED]: "✓", [ABSENT]: "∅" };

const byId = (id) => document.getElementById(id);

export class Panel {
  /** @param {any} page */
  constructor(page) {
    this.page = page;
    this.app = null;
    this.tools = null;
    this.rows = [];
    this.opened = 0;
  }

  /** Fill the page and connect its buttons. */
  connect(app, tools) {
    this.app = app;
    this.tools = tools;
    this.fillCases();
    this.fillClasses();
    const on = (id, action) => byId(id).addEventListener("click", action);
    on("previous", () => app.showCase(app.number - 1));
    on("next", () => app.showCase(app.number + 1));
    byId("case").addEventListener("change", (event) => app.showCase(event.target.selectedIndex));
    for (const button of document.querySelectorAll("[data-tool]")) {
      button.addEventListener("click", () => tools.choose(button.dataset.tool));
    }
    on("opposite", () => {
      tools.opposite = !tools.opposite;
      this.update();
    });
    on("undo", () => app.undo());
    on("redo", () => app.redo());
    on("confirm", () => app.confirm());
    on("absent", () => app.markAbsent());
    on("delete", () => app.deleteMask());
    on("copy", () => app.copyFromNeighbour());
    on("fit", () => app.viewer.fit());
    on("larger", () => app.viewer.zoom(1.3));
    on("smaller", () => app.viewer.zoom(1 / 1.3));
    on("window", () => app.viewer.setWindow(0, 255));
    on("finish", () => this.finish());
    on("save", () => this.save());
    on("open", () => byId("saved").click());
    byId("saved").addEventListener("change", (event) => this.open(event.target));
    on("help", () => byId("keys").showModal());
    on("confirm-rest", () => this.finishNow());
    byId("radius").addEventListener("input", (event) => tools.setRadius(Number(event.target.value)));
    byId("opacity").addEventListener("input", (event) => {
      app.viewer.opacity = Number(event.target.value) / 100;
      app.repaint();
    });
    byId("masks").addEventListener("change", (event) => {
      app.allHidden = !event.target.checked;
      app.repaint();
    });
    byId("annotator").value = app.annotator;
    byId("annotator").addEventListener("change", (event) => {
      app.annotator = event.target.value.trim();
      app.unsaved = true;
      app.keepAbout();
    });
    document.addEventListener("keydown", (event) => this.key(event));
  }

  fillCases() {
    byId("case").replaceChildren(...this.page.cases.map((entry) => new Option(entry.name)));
  }

  fillClasses() {
    const list = byId("classes");
    this.rows = this.page.classes.map((name, index) => {
      const show = (shown) => {
        if (shown) this.app.hidden.delete(index);
        else this.app.hidden.add(index);
        this.app.repaint();
      };
      const { row, button, state } = makeClassRow(
        name, this.page.colours[index], () => this.app.chooseClass(index), show,
      );
      list.append(row);
      return { button, state };
    });
  }

  /** Show the current state everywhere. */
  update() {
    const { app, tools } = this;
    if (!app || !tools) return;
    const { work } = app;
    byId("case").selectedIndex = app.number;
    this.page.cases.forEach((entry, number) => {
      const done = app.works[number].finished ? "✓ " : "";
      byId("case").options[number].textContent = `${done}${number + 1}. ${entry.name}`;
    });
    byId("progress").textContent = `${app.finishedCount} of ${this.page.cases.length} finished`;
    byId("previous").disabled = app.number === 0;
    byId("next").disabled = app.number === this.page.cases.length - 1;
    byId("undo").disabled = !work.done.length;
    byId("redo").disabled = !work.undone.length;
    byId("finish").textContent = work.finished ? "Open again (F)" : "Finish case (F)";
    byId("save").disabled = app.finishedCount === 0;
    byId("opposite").setAttribute("aria-pressed", String(tools.opposite));
    byId("radius").value = String(tools.radius);
    byId("radius-text").textContent = `${tools.radius} px`;
    byId("current").textContent = this.page.classes[app.index];
    for (const button of document.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tools.tool));
    }
    this.rows.forEach(({ button, state }, index) => {
      const snapshot = work.classes[index];
      button.setAttribute("aria-current", String(index === app.index));
      button.dataset.state = snapshot.state;
      const empty = snapshot.state === UNTOUCHED && !snapshot.mask ? ", no mask" : "";
      state.textContent = `${SIGNS[snapshot.state]} ${snapshot.state}${empty}`;
    });
    this.rows[app.index].button.scrollIntoView({ block: "nearest" });
  }

  // ---- messages -----------------------------------------------------------------------------------------------

  /** A line that may be overwritten. */
  say(text) {
    byId("status").textContent = text;
  }

  warn(kind, text) {
    showWarning(kind, text);
  }

  clear(kind) {
    clearWarning(kind);
  }

  /** Count something where tests can see it. */
  note(name, count) {
    document.documentElement.dataset[name] = String(count);
  }

  /** Show that SAM is being asked, if it takes longer than a moment. */
  wait(waiting) {
    clearTimeout(this.timer);
    if (waiting) this.timer = setTimeout(() => (byId("busy").hidden = false), 150);
    else byId("busy").hidden = true;
    if (waiting) this.say("");
  }

  // ---- finishing and saving -----------------------------------------------------------------------------------

  finish() {
    const { app } = this;
    if (app.work.finished) return app.reopen();
    const rest = untouched(app.work);
    if (!rest.length) return this.finishNow();
    const names = (wanted) =>
      rest.filter((index) => Boolean(app.work.classes[index].mask) === wanted).map((index) => this.page.classes[index]);
    byId("rest-present").textContent = names(true).join(", ") || "none";
    byId("rest-absent").textContent = names(false).join(", ") || "none";
    byId("rest").showModal();
  }

  finishNow() {
    const { app } = this;
    byId("rest").close();
    app.finish();
    this.say(`${app.entry.name} is finished.`);
    if (app.number < this.page.cases.length - 1) app.showCase(app.number + 1);
  }

  save() {
    const { app } = this;
    if (!app.annotator) {
      this.say("Write your name or initials at the top first: the file says who corrected.");
      byId("annotator").focus();
      return;
    }
    const { name, text } = app.file();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/xml" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    app.unsaved = false;
    this.say(`${app.finishedCount} finished cases are in the file ${name}, in your folder of downloads.`);
  }

  /** Open a file that a page has saved. */
  async open(input) {
    const [file] = input.files;
    input.value = ""; // so that the same file can be chosen again
    if (!file) return;
    try {
      const { taken, kept } = this.app.openFile(await file.text());
      byId("annotator").value = this.app.annotator;
      this.clear("open");
      if (kept.length) {
        this.warn("open", `${file.name}: cases that you worked on here stay as they are here: ${kept.join(", ")}.`);
      }
      this.say(`${taken.length} finished cases were taken from ${file.name}.`);
      this.app.showCase(this.app.number);
    } catch (error) {
      this.warn("open", `${file.name}: ${error.message}. Nothing was changed.`);
    }
    this.note("opened", ++this.opened);
  }

  // ---- keys ---------------------------------------------------------------------------------------------------

  key(event) {
    const typing = event.target.closest?.("input[type=text], select, dialog");
    if (typing) return;
    const onImage = event.target === this.app.viewer.canvas;
    if (onImage && !event.ctrlKey && !event.metaKey && this.tools.key(event)) {
      event.preventDefault();
      return;
    }
    const action = this.shortcut(event);
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** What a key does, or undefined. */
  shortcut(event) {
    const { app, tools } = this;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") return event.shiftKey ? () => app.redo() : () => app.undo();
      if (key === "y") return () => app.redo();
      if (key === "s") return () => this.save();
      if (key === "o") return () => byId("saved").click();
      return undefined;
    }
    if (event.altKey) return undefined;
    if (/^[1-9]$/.test(key) && Number(key) <= this.page.classes.length) return () => app.chooseClass(Number(key) - 1);
    return {
      PageDown: () => app.showCase(app.number + 1),
      PageUp: () => app.showCase(app.number - 1),
      j: () => app.chooseClass(app.index + 1),
      k: () => app.chooseClass(app.index - 1),
      s: () => tools.choose("sam"),
      b: () => tools.choose("brush"),
      e: () => tools.choose("eraser"),
      p: () => tools.choose("polygon"),
      l: () => tools.choose("window"),
      h: () => tools.choose("pan"),
      n: () => byId("opposite").click(),
      q: () => tools.setRadius(tools.radius - Math.max(1, tools.radius / 8)),
      w: () => tools.setRadius(tools.radius + Math.max(1, tools.radius / 8)),
      v: () => app.confirm(),
      x: () => app.markAbsent(),
      c: () => app.copyFromNeighbour(),
      Delete: () => app.deleteMask(),
      f: () => this.finish(),
      o: () => byId("masks").click(),
      "+": () => app.viewer.zoom(1.3),
      "-": () => app.viewer.zoom(1 / 1.3),
      0: () => app.viewer.fit(),
      "?": () => byId("keys").showModal(),
    }[key];
  }
}
