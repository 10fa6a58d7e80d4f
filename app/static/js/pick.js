// A remote select: an ARIA combobox that searches on the server as one types and keeps the chosen number in a
// hidden input. Words that were typed but not chosen are sent with a leading "?", so that the server refuses
// them beside the field instead of taking "123" for a record's number.
import { ask } from "./net.js";
import { make, word } from "./words.js";

const WAIT = 180;

/** ``onChoose`` takes what is chosen in the place of the hidden input. */
export class Pick {
  constructor(root, onChoose = null) {
    this.root = root;
    this.onChoose = onChoose;
    root.house = this;
    this.url = root.dataset.url;
    this.value = root.querySelector("input");
    this.chosen = { id: this.value.value.startsWith("?") ? "" : this.value.value, text: root.dataset.text || this.value.value };
    this.options = [];
    this.at = -1;
    this.turn = 0;
    this.build();
  }

  build() {
    const { value, root } = this;
    const id = value.id;
    const described = value.getAttribute("aria-describedby");
    this.input = make("input", {
      class: "form-control", type: "text", role: "combobox", id, autocomplete: "off", spellcheck: "false",
      "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": id + "-list", placeholder: word("search"),
      ...(described ? { "aria-describedby": described } : {}),
      ...(value.getAttribute("aria-invalid") ? { "aria-invalid": "true" } : {}),
      ...(value.required ? { "aria-required": "true" } : {}),
    });
    this.input.value = this.chosen.text;
    this.list = make("ul", { class: "pick-list", role: "listbox", id: id + "-list", popover: "manual" });
    this.clear = make("button", { type: "button", "aria-label": word("clear"), title: word("clear") }, "×");
    this.status = make("span", { class: "visually-hidden", role: "status" });
    value.type = "hidden";
    value.removeAttribute("id");
    value.removeAttribute("required");
    root.append(this.input, this.clear, this.list, this.status);
    this.listen();
    this.showClear();
  }

  listen() {
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("click", () => { if (!this.isOpen()) this.search(this.chosen.id ? "" : this.input.value); });
    this.input.addEventListener("blur", () => this.leave());
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.choose(this.options[Number(option.dataset.index)]);
    });
    this.moved = (event) => { if (!this.list.contains(event.target)) this.place(); };
    this.clear.addEventListener("click", () => { this.choose({ id: "", text: "" }); this.input.focus(); });
  }

  isSearching() { return this.waiting || this.input.getAttribute("aria-busy") === "true"; }

  typed() {
    const text = this.input.value.trim();
    this.chosen = { id: "", text };
    this.value.value = text ? "?" + text : "";
    this.showClear();
    clearTimeout(this.timer);
    this.waiting = true;
    this.entered = false;
    this.timer = setTimeout(() => this.search(text), WAIT);
  }

  async search(text) {
    const turn = ++this.turn;
    this.waiting = false;
    this.asking?.abort();
    this.asking = new AbortController();
    const url = new URL(this.url, location.href);
    url.searchParams.set("q", text);
    this.input.setAttribute("aria-busy", "true");
    // A slow network must not look like "nothing found".
    const slow = setTimeout(() => { if (turn === this.turn) this.status.textContent = word("searching"); }, 900);
    try {
      const answer = await ask(url, { headers: { Accept: "application/json" }, signal: this.asking.signal });
      const found = answer.ok ? await answer.json() : { results: [], failed: true };
      if (turn === this.turn && !this.waiting) this.show(found);
    } catch {
      if (turn === this.turn) this.show({ results: [], failed: true });
    } finally {
      clearTimeout(slow);
      if (turn === this.turn) this.input.removeAttribute("aria-busy");
    }
  }

  show(found) {
    if (document.activeElement !== this.input) {
      // Left while the answer was on its way: one match is what was meant, anything else is said beside the field.
      this.input.removeAttribute("aria-busy");
      if (found.results?.length === 1) this.choose(found.results[0]);
      else this.remark(this.value.value.startsWith("?"));
      return;
    }
    this.options = found.results || [];
    const lines = this.options.map((option, index) => make("li", {
      role: "option", id: `${this.input.id}-${index}`, "data-index": index, "aria-selected": "false",
    }, option.text));
    // A scanner sends Enter before the answer is here: one match is what was meant.
    const meant = this.entered && this.options.length === 1;
    this.entered = false;
    if (meant) { this.choose(this.options[0]); return; }
    const remark = found.failed ? word("offline") : !lines.length ? word("none") : found.more ? word("more") : "";
    if (remark) lines.push(make("li", { class: "say-more", role: "presentation" }, remark));
    this.list.replaceChildren(...lines);
    this.status.textContent = remark || String(this.options.length);
    this.open();
    this.move(this.options.length && this.input.value && !this.chosen.id ? 0 : -1);
  }

  key(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!this.isOpen()) this.search(this.chosen.id ? "" : this.input.value.trim());
      else this.move(Math.max(0, Math.min(this.options.length - 1, this.at + (event.key === "ArrowDown" ? 1 : -1))));
    } else if (event.key === "Enter" && (this.isOpen() || this.value.value.startsWith("?"))) {
      event.preventDefault();
      if (this.isSearching()) this.entered = true;
      else if (this.options[this.at]) this.choose(this.options[this.at]);
    } else if (event.key === "Escape" && this.isOpen()) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    }
  }

  move(at) {
    this.at = at;
    [...this.list.querySelectorAll("[role=option]")].forEach((option, index) => {
      option.setAttribute("aria-selected", index === at ? "true" : "false");
      if (index === at) option.scrollIntoView({ block: "nearest" });
    });
    if (at >= 0) this.input.setAttribute("aria-activedescendant", `${this.input.id}-${at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  /** Show something as chosen, telling nobody. */
  take({ id, text }) {
    this.turn++;
    clearTimeout(this.timer);
    this.waiting = false;
    this.chosen = { id: String(id), text };
    this.value.value = this.chosen.id;
    this.input.value = text;
    this.showClear();
    this.close();
  }

  reset() { this.take({ id: "", text: "" }); }

  choose(option) {
    if (this.onChoose && option.id) { this.close(); this.onChoose(option); return; }
    this.take(option);
    this.value.dispatchEvent(new Event("input", { bubbles: true }));
    this.value.dispatchEvent(new Event("change", { bubbles: true }));
  }

  leave() {
    clearTimeout(this.timer);
    const text = this.input.value.trim();
    if (text && this.value.value.startsWith("?") && this.isSearching()) {
      this.close();
      if (this.waiting) this.search(text);
      return;
    }
    this.waiting = false;
    this.turn++;
    this.input.removeAttribute("aria-busy");
    this.close();
    this.status.textContent = this.value.value.startsWith("?") ? word("choose") : "";
    this.remark(this.value.value.startsWith("?"));
  }

  remark(wanted) {
    this.root.querySelector(".err")?.remove();
    if (wanted) this.root.append(make("div", { class: "err" }, word("choose")));
  }

  showClear() {
    this.clear.hidden = !this.input.value;
    this.remark(false);
  }

  isOpen() { return this.input.getAttribute("aria-expanded") === "true"; }

  open() {
    this.input.setAttribute("aria-expanded", "true");
    if (this.list.showPopover && !this.list.matches(":popover-open")) this.list.showPopover();
    addEventListener("scroll", this.moved, true);
    addEventListener("resize", this.moved);
    visualViewport?.addEventListener("resize", this.moved);
    this.place();
  }

  close() {
    this.input.setAttribute("aria-expanded", "false");
    this.move(-1);
    if (this.list.hidePopover && this.list.matches(":popover-open")) this.list.hidePopover();
    removeEventListener("scroll", this.moved, true);
    removeEventListener("resize", this.moved);
    visualViewport?.removeEventListener("resize", this.moved);
  }

  place() {
    if (!this.isOpen()) return;
    const at = this.input.getBoundingClientRect();
    // What the keyboard of a telephone covers is no room.
    const room = Math.min(innerHeight, visualViewport ? visualViewport.height + visualViewport.offsetTop : innerHeight);
    const below = room - at.bottom > this.list.offsetHeight + 8 || at.top < this.list.offsetHeight;
    Object.assign(this.list.style, {
      left: at.left + "px", width: at.width + "px",
      top: (below ? at.bottom + 4 : at.top - this.list.offsetHeight - 4) + "px",
    });
  }
}

/** Make a combobox of every remote select under the root, once. */
export function makePicks(root) {
  for (const box of root.querySelectorAll(".js-pick:not([data-made])")) {
    box.setAttribute("data-made", "");
    new Pick(box);
  }
}
