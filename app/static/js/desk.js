// The working list: a call opens beside the list without leaving the page, its form is sent in place, and the next call
// opens by itself. A row is put off by dragging it onto a day, or by 1, 2, 3; 4 asks for the day. What was typed for a
// call and not sent is kept until one comes back to it. At the minute of a promised call the list is read anew.
import { enhance } from "./enhance.js";
import { ask } from "./net.js";
import { send } from "./sending.js";
import { make, word } from "./words.js";

const desk = document.querySelector("[data-desk]");
const kept = new Map();
let dragged = null;
let timer = 0;
let turn = 0;

const part = (selector) => desk.querySelector(selector);
const rows = () => [...desk.querySelectorAll("[data-calls] a")];
const current = () => part("[data-calls] [aria-current]");
const open = () => part("[data-plan]")?.dataset.plan || "";
const form = () => part("form[data-here]");
const isTyping = (element) => element.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;

function say(sentence, tone = "bad") {
  const note = make("div", { class: `note n-${tone}`, role: "alert", tabindex: "-1" }, make("div", {}, sentence));
  part("[data-told]").replaceChildren(note);
  note.scrollIntoView({ block: "nearest" });
}

// --- reading a call, with or without the list -----------------------------------------------------------------------

/** Keep what was typed for the open call; what it guards is of the day it was read, but nothing of it is lost. */
function keep() {
  if (form()?.hasAttribute("data-dirty")) kept.set(open(), form());
}

/** Put what was typed back, under the guards that the server gave now. */
function restore() {
  const old = kept.get(open());
  const fresh = form();
  if (!old || !fresh) return;
  kept.delete(open());
  for (const name of ["row_version", "csrf_token"]) {
    if (fresh.elements[name] && old.elements[name]) old.elements[name].value = fresh.elements[name].value;
  }
  old.action = fresh.action;
  fresh.replaceWith(old);
}

/** Read the desk at an address: whole, or only what stands beside the list. */
async function load(url, { focus = true, beside = false, push = true } = {}) {
  const mine = ++turn;
  desk.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(url, { headers: { "X-Place": "desk" } });
    const text = await answer.text();
    if (mine !== turn) return;
    if (!answer.ok) { location.assign(url); return; }
    keep();
    put(text, beside);
    if (push) history.pushState({ desk: true }, "", url);
    restore();
    if (focus) current()?.focus({ preventScroll: true });
    current()?.scrollIntoView({ block: "nearest" });
  } catch {
    say(word("offline"));
  } finally {
    if (mine === turn) desk.removeAttribute("aria-busy");
  }
}

function put(html, beside) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const fresh = holder.content;
  const from = fresh.querySelector("[data-plan]");
  // Beside the list only where the list still is the one that stands: the same rows in the same order.
  const ids = (root) => [...root.querySelectorAll("[data-call]")].map((row) => row.dataset.call).join();
  if (beside && from && ids(fresh) === ids(desk)) {
    for (const selector of ["[data-person]", "[data-plan]", "[data-later]"]) {
      const there = fresh.querySelector(selector);
      if (there) part(selector)?.replaceWith(there);
    }
    part("[data-told]").replaceChildren();
    current()?.removeAttribute("aria-current");
    part(`[data-call="${from.dataset.plan}"] a`)?.setAttribute("aria-current", "true");
    enhance(part("[data-plan]"));
  } else {
    const scrolled = part("[data-calls]")?.scrollTop || 0;
    desk.replaceChildren(fresh);
    if (part("[data-calls]")) part("[data-calls]").scrollTop = scrolled;
    enhance(desk);
  }
  begin();
}

/** What a desk that was put anew needs: rows that can be dragged, buttons for the keys, the hour of the next promise. */
function begin() {
  for (const row of desk.querySelectorAll("[data-put]")) row.draggable = true;
  for (const link of rows()) link.draggable = false;
  for (const button of desk.querySelectorAll("[data-keys]")) {
    button.hidden = false;
    button.onclick = () => document.getElementById("keys").showModal();
  }
  clearTimeout(timer);
  const due = Date.parse(part("[data-due]")?.dataset.due || "");
  const wait = due - Date.now();
  // A clock that goes before the server's asks again, but not at every second.
  if (wait < 2 ** 31) timer = setTimeout(atItsMinute, wait > 0 ? wait + 1_000 : 15_000);
}

function atItsMinute() {
  if (desk.hasAttribute("aria-busy") || document.querySelector("dialog[open]") || dragged) { timer = setTimeout(atItsMinute, 5_000); return; }
  const where = document.activeElement;
  const within = form()?.contains(where);
  load(location.href, { focus: !within && desk.contains(where), push: false }).then(() => { if (within && where.isConnected) where.focus(); });
}

// --- sending --------------------------------------------------------------------------------------------------------

const place = {
  fill(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    form().replaceWith(holder.content);
    form().setAttribute("data-dirty", "");
    enhance(part("[data-place]"));
  },
  say,
  finish(said) {
    form()?.removeAttribute("data-dirty");
    kept.delete(open());
    load(said.redirect || location.href);
  },
};

/** Send the form that puts a call off, of the open call or of a row that was dragged. */
function putOff(row, day) {
  const own = part("[data-later]");
  const sent = make("form", { action: own.action, hidden: "" });
  const isOpen = row.dataset.call === open();
  const back = new URL(own.action).searchParams.get("back");
  const url = new URL(row.dataset.put, location.href);
  url.searchParams.set("back", isOpen && back ? back : location.pathname + location.search);
  sent.action = url.href;
  const key = `${own.elements.request_key.value.slice(0, 40)}-${row.dataset.call}-${day}`;
  const values = { csrf_token: own.elements.csrf_token.value, request_key: key, row_version: row.dataset.version, planned_at: `${day}T${row.dataset.clock}` };
  if ("kept" in row.dataset) values.is_promised = "1";
  for (const [name, value] of Object.entries(values)) sent.append(make("input", { type: "hidden", name, value }));
  desk.append(sent);
  send(sent, null, {
    // The refusal of a form that nobody sees: its sentences, above the list.
    fill(html) {
      sent.remove();
      const holder = document.createElement("template");
      holder.innerHTML = html;
      say([...holder.content.querySelectorAll("[data-summary] p, [data-summary] li")].map((each) => each.textContent.trim()).join(" ") || word("failed"));
    },
    say(sentence) { sent.remove(); say(sentence); },
    finish(said) { sent.remove(); if (isOpen) kept.delete(open()); load(said.redirect); },
  }, { "X-Place": "here" });
}

function askDay(row) {
  const link = make("a", { href: row.dataset.put, "data-act": "reschedule", hidden: "" });
  const url = new URL(row.dataset.put, location.href);
  const own = new URL(part("[data-later]").action).searchParams.get("back");
  url.searchParams.set("back", row.dataset.call === open() && own ? own : location.pathname + location.search);
  link.href = url.href;
  desk.append(link);
  link.click();
  link.remove();
}

const rowOf = (element) => element?.closest?.("[data-call]");

// --- keys, clicks, drags --------------------------------------------------------------------------------------------

function step(by) {
  const every = rows();
  const at = every.indexOf(current());
  const next = every[Math.max(0, Math.min(every.length - 1, at + by))];
  if (next && next !== current()) load(next.href, { beside: true });
  else next?.focus();
}

function toForm() {
  const fields = [...form()?.querySelectorAll("input:not([type=hidden], [type=checkbox]), select, textarea") || []];
  (fields.find((field) => !field.value) || fields[0])?.focus();
}

const KEYS = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  e: toForm,
  o: () => part("[data-file]")?.click(),
  1: () => part('[data-later] [aria-keyshortcuts="1"]')?.click(),
  2: () => part('[data-later] [aria-keyshortcuts="2"]')?.click(),
  3: () => part('[data-later] [aria-keyshortcuts="3"]')?.click(),
  4: () => part('[data-later] [aria-keyshortcuts="4"]')?.click(),
};

function key(event) {
  if (document.querySelector("dialog[open], :popover-open")) return;
  const inForm = form()?.contains(event.target);
  if (inForm && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form().requestSubmit();
  } else if (inForm && event.key === "Escape") {
    event.preventDefault();
    current()?.focus();
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey && !isTyping(event.target) && KEYS[event.key]) {
    if (inForm && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    KEYS[event.key]();
  }
}

function click(event) {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.defaultPrevented) return;
  const link = event.target.closest("[data-calls] a, [data-more]");
  if (!link) return;
  event.preventDefault();
  load(link.href, { beside: !link.matches("[data-more]") });
}

function submit(event) {
  if (event.target === form()) {
    event.preventDefault();
    send(event.target, event.submitter, place, { "X-Place": "here" });
  } else if (event.target.matches("[data-later]") && event.submitter?.dataset.day) {
    const row = rowOf(current());
    if (!row) return; // beyond the rows that stand: the form goes as it is
    event.preventDefault();
    putOff(row, event.submitter.dataset.day);
  }
}

desk.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("[data-put]");
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.querySelector(".who").textContent.trim());
  dragged.classList.add("dragged");
  part("[data-later]").classList.add("ready");
});
desk.addEventListener("dragover", (event) => {
  for (const each of desk.querySelectorAll(".onto")) each.classList.remove("onto");
  const target = dragged && event.target.closest?.("[data-later] [data-day]");
  if (!target) return;
  event.preventDefault();
  target.classList.add("onto");
});
desk.addEventListener("drop", (event) => {
  const target = dragged && event.target.closest?.("[data-later] [data-day]");
  if (!target) return;
  event.preventDefault();
  if (target.dataset.day) putOff(dragged, target.dataset.day);
  else askDay(dragged);
});
desk.addEventListener("dragend", () => {
  for (const each of desk.querySelectorAll(".onto, .dragged, .ready")) each.classList.remove("onto", "dragged", "ready");
  dragged = null;
});
desk.addEventListener("input", (event) => { if (event.target.form === form()) form().setAttribute("data-dirty", ""); });
desk.addEventListener("click", click);
desk.addEventListener("submit", submit);
document.addEventListener("keydown", key);
// A dialog over the desk was done: the desk is read anew, and what was typed stays.
document.addEventListener("house:done", (event) => {
  if (event.detail.pathname !== location.pathname) return;
  event.preventDefault();
  load(event.detail.href);
});
document.addEventListener("house:token", ({ detail }) => {
  for (const one of kept.values()) one.elements.csrf_token.value = detail;
});
addEventListener("popstate", () => load(location.href, { push: false }));
addEventListener("beforeunload", (event) => { if (form()?.hasAttribute("data-dirty") || kept.size) event.preventDefault(); });
document.addEventListener("house:leave", () => { form()?.removeAttribute("data-dirty"); kept.clear(); });
begin();
if (document.activeElement === document.body) current()?.focus({ preventScroll: true });
