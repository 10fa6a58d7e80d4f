// A page's form is sent once however often it is clicked, and is not left half filled without a warning.
import { allComplete, setBusy } from "./fields.js";

let dirty = null;

/** The control that waits for input: with a keyboard at hand, typing may start at once. */
function firstEmpty(form) {
  return [...form.querySelectorAll("input:not([type=hidden]), select, textarea")].find((control) => !control.value);
}

for (const form of document.querySelectorAll("main form[data-once]")) {
  if (form.hasAttribute("data-guard")) {
    if (form.querySelector("[data-summary]")) dirty = form;
    else if (matchMedia("(pointer: fine)").matches) firstEmpty(form)?.focus();
    form.addEventListener("input", () => { dirty = form; });
  }
  form.addEventListener("submit", (event) => {
    if (form.hasAttribute("data-busy") || !allComplete(form)) { event.preventDefault(); return; }
    dirty = null;
    // After this turn, so that the button's own name and value still go along.
    setTimeout(() => setBusy(form, true));
  });
  addEventListener("pageshow", () => setBusy(form, false));
}

addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
