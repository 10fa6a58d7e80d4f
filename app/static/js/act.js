// An act opens as a dialog: a link with data-act is fetched, its form sent, its refusals shown in place.
// Without script the link opens a page with the same form. A form that was closed half filled is kept and
// comes back when its act is opened again on this page. A page that goes on by itself after an act says so by
// keeping "house:done" from its default.
import { enhance } from "./enhance.js";
import { setBusy } from "./fields.js";
import { ask } from "./net.js";
import { printForm } from "./print.js";
import { isFragment, send } from "./sending.js";
import { make, word } from "./words.js";

const kept = new Map();
let opener = null;
let address = "";
let after = "";
let dirty = false;
let stays = false;
let done = false;

const dialog = make("dialog", { class: "dlg", id: "act", "aria-labelledby": "act-title", "aria-describedby": "act-say" });
document.body.append(dialog);

// What is on its way cannot be taken back: the dialog stays until the answer is here.
const isSending = () => dialog.querySelector("form[data-busy]") !== null;

function fill(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  dialog.replaceChildren(holder.content);
}

function show() {
  if (!dialog.open) dialog.showModal();
  enhance(dialog);
  if (!dialog.querySelector("[data-summary]")) firstControl()?.focus();
}

/** Where one begins: where a code is wanted, so that one scan does it; else at the first field. */
function firstControl() {
  return dialog.querySelector("[autofocus]") || dialog.querySelector(".dlg-body [data-scanned]")
    || dialog.querySelector(".dlg-body :is(input, select, textarea):not([type=hidden])")
    || dialog.querySelector("button[type=submit]");
}

function say(sentence) {
  const body = dialog.querySelector(".dlg-body");
  body.querySelector("[data-said]")?.remove();
  const note = make("div", { class: "note n-bad", role: "alert", tabindex: "-1", "data-said": "" }, make("div", {}, sentence));
  body.prepend(note);
  note.focus();
}

function plainDialog(title, ...footer) {
  dialog.replaceChildren(make("div", {},
    make("div", { class: "dlg-head" }, make("h2", { id: "act-title" }, title)),
    make("div", { class: "dlg-body" }),
    make("footer", {}, ...footer)));
}

async function open(link, url = link.href) {
  if (link.getAttribute("aria-busy") === "true") return;
  opener = openerOf(link);
  address = url;
  // Inside data-stay one goes on where one is: the page is read anew instead of left for the record.
  stays = link.closest("[data-stay]") !== null;
  dirty = false;
  const draft = kept.get(address);
  if (draft) {
    dialog.replaceChildren(draft);
    dirty = true;
    dialog.showModal();
    firstControl()?.focus();
    return;
  }
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(address);
    const text = await answer.text();
    if (!isFragment(text) || ![200, 409, 422].includes(answer.status)) { location.assign(address); return; }
    fill(text);
    show();
  } catch {
    plainDialog(link.textContent.trim(), make("button", { class: "btn btn-quiet", type: "button", "data-close": "" }, word("close")));
    dialog.showModal();
    say(word("offline"));
  } finally {
    link.removeAttribute("aria-busy");
  }
}

/** A link inside a menu is gone when the menu closes: the button of the menu stands for it. */
function openerOf(link) {
  const menu = link.closest("[popover]");
  if (!menu) return link;
  menu.hidePopover?.();
  return document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`) || link;
}

const place = {
  fill(html) { fill(html); enhance(dialog); dirty = true; },
  say,
  finish(said) { done = true; finish(said); },
};

function finish(said) {
  dirty = false;
  kept.delete(address);
  after = stays ? location.href : said.redirect || "";
  const token = dialog.querySelector("[name=csrf_token]")?.value ?? "";
  const opened = said.open ? print(said, token) : false;
  if (said.shown_html) {
    fill(said.shown_html);
    show();
  } else if (said.open && !opened) {
    offerPaper(said, token);
  } else {
    goOn();
  }
}

/** Print in a new tab; say whether the browser opened one. */
function print(said, token) {
  const name = `paper-${said.open_key}`;
  if (!window.open("", name)) return false;
  const form = printForm(said.open, said.open_key, token);
  form.target = name;
  document.body.append(form);
  form.submit();
  form.remove();
  return true;
}

/** The browser refused a new tab: the paper waits behind a button. */
function offerPaper(said, token) {
  const button = make("button", { class: "btn btn-accent", type: "submit", autofocus: "" }, word("openLink"));
  const form = printForm(said.open, said.open_key, token, button);
  plainDialog(word("open"), make("button", { class: "btn btn-quiet", type: "button", "data-close": "" }, word("on")), form);
  show();
}

function goOn() {
  const target = new URL(after || location.href, location.href);
  const told = new CustomEvent("house:done", { cancelable: true, detail: target });
  if (!document.dispatchEvent(told)) {
    after = "";
    dialog.close();
    return;
  }
  const here = target.pathname === location.pathname && target.search === location.search;
  // A reload keeps what is seen where it was, and so would push the message of success under the bar.
  if (here && (scrollY > 0 || target.hash || location.hash)) location.reload();
  else location.assign(target);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-act]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open(link);
});
// An act that asks nothing is done at once; what is refused, or warned of, is said in the dialog.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-quick]")) return;
  event.preventDefault();
  const title = event.submitter?.textContent.trim() || "";
  opener = form.closest("[data-card]") || event.submitter;
  form.closest("[popover]")?.hidePopover();
  address = form.action;
  stays = form.closest("[data-stay]") !== null;
  dirty = false;
  send(form, event.submitter, {
    fill(html) { setBusy(form, false); fill(html); show(); },
    say(sentence) {
      plainDialog(title, make("button", { class: "btn btn-quiet", type: "button", "data-close": "" }, word("close")));
      show();
      say(sentence);
    },
    finish,
  });
});
// The buttons of a selection: the chosen rows go along in the address.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-many]") || !event.submitter) return;
  event.preventDefault();
  const url = new URL(event.submitter.formAction);
  url.search = new URLSearchParams(new FormData(form));
  open(event.submitter, url.href);
});
dialog.addEventListener("click", (event) => {
  if (!event.target.closest("[data-close]")) return;
  event.preventDefault();
  if (!isSending()) dialog.close();
});
dialog.addEventListener("cancel", (event) => { if (isSending()) event.preventDefault(); });
dialog.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-print]")) return;
  event.preventDefault();
  send(event.target, event.submitter, place);
});
dialog.addEventListener("input", () => { dirty = true; });
// A scan leaves the page from within a dialog, too: what is half filled there asks first.
addEventListener("beforeunload", (event) => { if (dirty && dialog.open && !isSending()) event.preventDefault(); });
document.addEventListener("house:leave", () => { dirty = false; kept.clear(); });
document.addEventListener("house:token", ({ detail }) => {
  for (const form of kept.values()) if (form.elements.csrf_token) form.elements.csrf_token.value = detail;
});
// Back to a page that the browser kept as it was, with the dialog of what is done since: read it anew.
addEventListener("pageshow", (event) => { if (event.persisted && done) location.reload(); });
dialog.addEventListener("close", () => {
  const form = dialog.querySelector("form");
  if (dirty && form && !form.hasAttribute("data-busy")) kept.set(address, form);
  dialog.replaceChildren();
  if (after) goOn();
  else opener?.focus();
});
