// Refusals that only the browser can see: a date half typed comes to the server as nothing at all.
import { make, word } from "./words.js";

/** Say beside each half-filled control that it is not complete; return whether all are whole. */
export function allComplete(form) {
  let first = null;
  for (const control of form.querySelectorAll("input")) {
    const old = document.getElementById(control.id + "-part");
    if (old) old.remove();
    if (!control.validity || !control.validity.badInput) continue;
    const said = make("div", { class: "err", id: control.id + "-part", role: "alert" }, word("incomplete"));
    control.after(said);
    control.setAttribute("aria-invalid", "true");
    first = first || control;
  }
  if (first) first.focus();
  return !first;
}

/** Mark a form as on its way, so that a second click sends nothing; or take the mark away again. */
export function setBusy(form, busy) {
  form.toggleAttribute("data-busy", busy);
  for (const button of form.querySelectorAll("button[type=submit]")) {
    if (busy) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
  }
}
