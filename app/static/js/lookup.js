// Does this number belong to somebody? The answer stands under the field as a hint; it never blocks.
import { ask } from "./net.js";
import { make } from "./words.js";

async function look(control, hint, turn) {
  const value = control.value.trim();
  if (!value) { hint.replaceChildren(); return; }
  const body = new FormData();
  body.set("value", value);
  body.set("csrf_token", control.form?.elements.csrf_token?.value ?? "");
  try {
    // A POST: a telephone number does not belong into an address, and the server keeps who asked.
    const answer = await ask(control.dataset.lookup, { method: "POST", body, headers: { Accept: "application/json" } });
    if (!answer.ok || turn !== control.dataset.turn) return;
    const said = await answer.json();
    hint.classList.toggle("known", Boolean(said.known));
    hint.replaceChildren(...parts(said));
  } catch {
    hint.replaceChildren();
  }
}

function parts(said) {
  if (!said.sentence) return [];
  return said.url ? [make("a", { href: said.url, target: "_blank" }, said.sentence)] : [said.sentence];
}

/** Let every control with data-lookup ask the server whenever its value changes. */
export function makeLookups(root) {
  for (const control of root.querySelectorAll("[data-lookup]")) {
    const hint = document.getElementById(control.id + "-hint");
    if (!hint || control.dataset.turn) continue;
    const start = () => {
      control.dataset.turn = String(Number(control.dataset.turn || 0) + 1);
      look(control, hint, control.dataset.turn);
    };
    control.dataset.turn = "0";
    control.addEventListener("change", start);
    if (control.value) start();
  }
}
