// A page's form is sent once however often it is clicked, only while there is a network, and is not left half filled
// without a warning. Who comes back to it by the browser's button learns what it led to.
import { allComplete, setBusy } from "./fields.js";
import { ask, reachable } from "./net.js";
import { make } from "./words.js";

let dirty = null;

/** The control that waits for input: with a keyboard at hand, typing may start at once. */
function firstEmpty(form) {
  return [...form.querySelectorAll("input:not([type=hidden]), select, textarea")].find((control) => !control.value);
}

/** Send a form once the server was reached; a browser's own page of errors would stand in the place of what was typed. */
async function sendIfReached(form, submitter) {
  form.setAttribute("data-busy", "");
  const reached = await reachable();
  form.removeAttribute("data-busy");
  if (!reached) return;
  form.setAttribute("data-reached", "");
  form.requestSubmit(submitter);
}

function send(form, event) {
  if (form.hasAttribute("data-busy") || !allComplete(form)) { event.preventDefault(); return; }
  if (form.hasAttribute("data-guard") && !form.hasAttribute("data-reached")) {
    event.preventDefault();
    sendIfReached(form, event.submitter);
    return;
  }
  form.removeAttribute("data-reached");
  dirty = null;
  const key = form.elements.request_key?.value;
  if (key) history.replaceState({ ...history.state, sent: key }, "");
  // After this turn, so that the button's own name and value still go along.
  setTimeout(() => setBusy(form, true));
}

/** Say above a form that was sent from here before, in this place of the browser's history, what it led to. */
async function tellIfDone(form, key) {
  const answer = await ask(`/again/sent/${encodeURIComponent(key)}`, { headers: { Accept: "application/json" } });
  const said = answer.ok ? await answer.json() : { done: false };
  if (!said.done) return;
  const words = said.url ? make("a", { href: said.url }, said.text) : said.text;
  form.querySelector("[data-before]")?.remove();
  const note = make("div", { class: "note n-info", role: "status", tabindex: "-1", "data-before": "" }, make("div", {}, words));
  form.querySelector(".form-in")?.prepend(note);
  note.focus();
}

for (const form of document.querySelectorAll("main form[data-once]")) {
  if (form.hasAttribute("data-guard")) {
    if (form.querySelector("[data-summary]")) dirty = form;
    else if (matchMedia("(pointer: fine)").matches) firstEmpty(form)?.focus();
    form.addEventListener("input", () => { dirty = form; });
    addEventListener("pageshow", () => {
      const sent = history.state?.sent;
      if (sent && !form.querySelector("[data-summary]")) tellIfDone(form, sent).catch(() => {});
    });
  }
  form.addEventListener("submit", (event) => send(form, event));
  addEventListener("pageshow", () => setBusy(form, false));
}

addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
document.addEventListener("house:leave", () => { dirty = null; });
