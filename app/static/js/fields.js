// Refusals that only the browser can see: a date half typed comes to the server as nothing at all, and a file that is
// far too large would be sent in vain.
import { make, word } from "./words.js";

/** Say beside each control that is half filled or too large what is wrong; return whether all are whole. */
export function allComplete(form) {
  let first = null;
  for (const control of form.querySelectorAll("input")) {
    const old = document.getElementById(control.id + "-part");
    if (old) old.remove();
    const tooLarge = [...control.files || []].some((file) => file.size > Number(control.dataset.most || Infinity));
    if (!tooLarge && (!control.validity || !control.validity.badInput)) continue;
    const sentence = tooLarge ? control.dataset.tooLarge : word("incomplete");
    const said = make("div", { class: "err", id: control.id + "-part", role: "alert" }, sentence);
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
