// The line editor: rows are added by a scan or a search, copied, moved and removed in place, with the keyboard alone if one
// likes. What they come to is computed by the server, never here; the last answer wins.
import { ask } from "./net.js";
import { makePicks, Pick } from "./pick.js";
import { make, word } from "./words.js";

const WAIT = 250;
const NEW = /__new__/g;
const CELLS = ":is(input:not([type=hidden]), select, textarea):not([disabled])";

class Lines {
  constructor(root) {
    this.root = root;
    this.form = root.closest("form");
    this.body = root.querySelector("[data-rows-of]");
    this.name = root.dataset.lines;
    this.most = Number(root.dataset.most);
    this.pattern = root.querySelector("[data-new-line]").innerHTML;
    this.said = root.querySelector("[data-line-said]");
    this.next = this.rows().reduce((most, row) => Math.max(most, this.number(row) + 1), 0);
    this.turn = 0;
    root.addEventListener("click", (event) => this.click(event));
    root.addEventListener("keydown", (event) => this.key(event));
    // A form's other inputs may bear on the sums too.
    for (const type of ["input", "change"]) this.form.addEventListener(type, (event) => this.changed(event));
    this.makeAdder();
  }

  rows() { return [...this.body.querySelectorAll("tr[data-line]")]; }
  cells(row) { return [...row.querySelectorAll(`td[data-cell] ${CELLS}`)]; }
  number(row) { return Number(row.querySelector("[name]")?.name.slice(this.name.length + 1).split("-")[0] || 0); }
  say(sentence) { this.said.textContent = sentence; }

  makeAdder() {
    const box = this.root.querySelector("[data-line-add]");
    if (!box) return;
    this.adder = new Pick(box.querySelector(".pick"), (option) => this.addBy(box.dataset.lineAdd, option));
  }

  addBy(cell, option) {
    const row = this.add();
    this.adder.reset();
    if (!row) return;
    const picked = row.querySelector(`[data-cell="${cell}"] .pick`);
    picked.house.choose(option);
    this.adder.input.focus();
    row.scrollIntoView({ block: "nearest" });
    this.say(word("lineAdded").replace("{}", this.rows().length) + " " + option.text);
  }

  add(after = null) {
    if (this.rows().length >= this.most) { this.say(word("linesFull")); return null; }
    const holder = document.createElement("tbody");
    holder.innerHTML = this.pattern.replace(NEW, this.next++);
    const row = holder.querySelector("tr");
    if (after) after.after(row); else this.body.append(row);
    makePicks(row);
    return row;
  }

  copy(row) {
    const made = this.add(row);
    if (!made) return;
    const from = [...row.querySelectorAll("[name]")].filter((control) => control.type !== "submit");
    const to = [...made.querySelectorAll("[name]")].filter((control) => control.type !== "submit");
    from.forEach((control, index) => {
      if (control.type === "checkbox") to[index].checked = control.checked;
      else to[index].value = control.value;
    });
    row.querySelectorAll(".pick").forEach((pick, index) => {
      made.querySelectorAll(".pick")[index].house.take(pick.house.chosen);
    });
    this.cells(made)[0]?.focus();
    this.recompute();
  }

  remove(row) {
    const rows = this.rows();
    const at = rows.indexOf(row);
    row.remove();
    const near = rows[at + 1] || rows[at - 1];
    (near ? this.cells(near)[0] : this.adder?.input || this.root.querySelector("[value=add]"))?.focus();
    this.say(word("lineRemoved").replace("{}", at + 1));
    this.recompute();
    this.form.dispatchEvent(new Event("input", { bubbles: true }));
  }

  move(row, step, focus) {
    const rows = this.rows();
    const to = rows[rows.indexOf(row) + step];
    if (!to) return;
    if (step < 0) to.before(row); else to.after(row);
    focus?.focus();
    row.scrollIntoView({ block: "nearest" });
    this.say(word("lineMoved").replace("{}", this.rows().indexOf(row) + 1));
    this.recompute();
  }

  click(event) {
    const button = event.target.closest(`button[name="${this.name}-do"]`);
    if (!button) return;
    event.preventDefault();
    this.act(button.value.split(":")[0], button.closest("tr[data-line]"), button);
  }

  act(verb, row, focus) {
    if (verb === "add") { const made = this.add(); if (made) this.cells(made)[0]?.focus(); }
    else if (verb === "copy") this.copy(row);
    else if (verb === "remove") this.remove(row);
    else this.move(row, verb === "up" ? -1 : 1, focus);
  }

  key(event) {
    const row = event.target.closest("tr[data-line]");
    if (!row || event.defaultPrevented || event.isComposing) return;
    const { key, altKey, ctrlKey } = event;
    if (key === "Enter" && !altKey && !ctrlKey && event.target.matches(CELLS)) this.onward(row, event.target);
    else if (altKey && (key === "ArrowUp" || key === "ArrowDown")) this.move(row, key === "ArrowUp" ? -1 : 1, event.target);
    else if (altKey && key === "Insert") this.copy(row);
    else if (ctrlKey && key === "Delete") this.remove(row);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Enter goes to the next cell, from the last one to the next row, and below the last row to the box of new ones. */
  onward(row, cell) {
    const every = this.rows().flatMap((each) => this.cells(each));
    const next = every[every.indexOf(cell) + 1];
    if (next) { next.focus(); next.select?.(); return; }
    if (this.adder) { this.adder.input.focus(); return; }
    const made = this.add();
    if (made) this.cells(made)[0]?.focus();
  }

  changed(event) {
    if (!this.adder || event.target !== this.adder.input) this.recompute();
  }

  recompute() {
    if (!this.form.dataset.recompute) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), WAIT);
  }

  async ask() {
    const turn = ++this.turn;
    this.asking?.abort();
    this.asking = new AbortController();
    const rows = this.rows();
    this.root.setAttribute("aria-busy", "true");
    try {
      const body = new FormData(this.form);
      for (const [name, value] of [...body]) if (value instanceof File) body.delete(name);
      const answer = await ask(this.form.dataset.recompute, { method: "POST", body, signal: this.asking.signal, headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.statusText);
      const told = await answer.json();
      if (turn === this.turn) this.tell(rows, told);
    } catch (wrong) {
      if (turn === this.turn && wrong.name !== "AbortError") this.unknown();
    } finally {
      if (turn === this.turn) this.root.removeAttribute("aria-busy");
    }
  }

  tell(rows, told) {
    for (const row of rows) {
      const texts = told.rows[this.number(row)] || {};
      for (const output of row.querySelectorAll("[data-told]")) output.textContent = texts[output.dataset.told] ?? "";
    }
    const parts = told.sums.map(([label, value]) => make("div", {}, make("dt", {}, label), make("dd", {}, value)));
    this.root.querySelector("[data-sums]").replaceChildren(...parts);
  }

  unknown() {
    for (const output of this.root.querySelectorAll("[data-told]")) output.textContent = "…";
    for (const value of this.root.querySelectorAll("[data-sums] dd")) value.textContent = "…";
  }
}

/** Make a line editor of every one under the root, once. */
export function makeLines(root) {
  for (const editor of root.querySelectorAll("[data-lines]:not([data-made])")) {
    editor.setAttribute("data-made", "");
    new Lines(editor);
  }
}
