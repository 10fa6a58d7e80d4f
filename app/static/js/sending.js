// An act's form is sent where it stands, in a dialog or in a page, and its answer taken: done, or the form again with
// what was refused. ``place`` says what happens there: fill(html), say(sentence), finish(answer).
import { allComplete, setBusy } from "./fields.js";
import { ask } from "./net.js";
import { word } from "./words.js";

export const isFragment = (text) => !/^\s*(<!doctype|<html)/i.test(text);

/** Send a form once, however often it is asked for; ``headers`` go along. */
export async function send(form, submitter, place, headers = {}) {
  if (form.hasAttribute("data-busy") || !allComplete(form)) return;
  const body = new FormData(form, submitter);
  setBusy(form, true);
  try {
    const answer = await ask(form.action, { method: "POST", body, headers });
    await take(answer, form, place);
  } catch {
    // Whether it arrived is not known: the same form sent again, with the same key, has one effect.
    setBusy(form, false);
    place.say(word("unknown"));
  }
}

async function take(answer, form, place) {
  if ((answer.headers.get("Content-Type") || "").includes("json")) {
    const said = await answer.json();
    if (answer.ok) { place.finish(said); }
    else { setBusy(form, false); place.say(said.message || word("failed")); }
    return;
  }
  const text = await answer.text();
  if ([200, 409, 422].includes(answer.status) && isFragment(text)) {
    place.fill(text);
    return;
  }
  setBusy(form, false);
  const page = new DOMParser().parseFromString(text, "text/html");
  const sentence = page.querySelector("[data-sentence]")?.textContent.trim();
  place.say(sentence || (answer.status === 413 ? word("tooLarge") : word("failed")));
}
