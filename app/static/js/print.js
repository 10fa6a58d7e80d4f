// Printing opens a tab by a form, so that nothing but a click counts a copy. The form's key stands for one copy: a double
// click and a reloaded tab show the same one again. After a moment the form gets a new key, and prints the next copy.
import { make } from "./words.js";

const MOMENT = 4_000;

const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-print]")) return;
  clearTimeout(form.renewing);
  form.renewing = setTimeout(() => { form.elements.request_key.value = newKey(); }, MOMENT);
});

/** Return a form that prints in a tab of its own, in the page and ready to be sent. */
export function printForm(url, key, token, button = null) {
  const form = make("form", { method: "post", action: url, target: "_blank", "data-print": url },
    make("input", { type: "hidden", name: "csrf_token", value: token }),
    make("input", { type: "hidden", name: "request_key", value: key }));
  if (button) form.append(button);
  return form;
}
