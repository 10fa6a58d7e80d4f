// What is done to every form, on a page or fetched into a dialog.
import { makePicks } from "./pick.js";
import { makeLookups } from "./lookup.js";
import { makeOrdered } from "./ordered.js";

/** Turn a root's plain controls into searching ones and bring its refusal, if any, before the reader. */
export function enhance(root) {
  makePicks(root);
  makeLookups(root);
  makeOrdered(root);
  if (root.querySelector("[data-lines]")) import("./lines.js").then(({ makeLines }) => makeLines(root));
  const summary = root.querySelector("[data-summary]");
  if (summary) summary.focus();
}
