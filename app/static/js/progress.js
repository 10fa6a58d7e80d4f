// A task's page asks how far it is while it runs, and shows itself anew once it is over, with its file under the finger:
// browsers let no page open a file by itself, so one key opens it. Without script: a link does.
import { word } from "./words.js";

const EVERY = 1500; // milliseconds
const SLOWEST = 15000;
const WATCHED = "watched"; // in the tab's own memory: the page on which somebody has seen the work end

if (sessionStorage.getItem(WATCHED) === location.pathname) {
  sessionStorage.removeItem(WATCHED);
  document.querySelector("[data-result]")?.focus();
}

for (const box of document.querySelectorAll("[data-progress]")) {
  const [bar, count, said] = ["progress", "[data-count]", "[data-said]"].map((part) => box.querySelector(part));
  let pause = EVERY;

  async function look() {
    if (document.hidden || document.querySelector("dialog[open]")) return next();
    try {
      const answer = await fetch(box.dataset.progress, { headers: { Accept: "application/json", "X-Dialog": "1" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const told = await answer.json();
      if (told.ended) sessionStorage.setItem(WATCHED, location.pathname);
      if (told.ended || told.state !== box.dataset.state) return location.reload();
      show(told);
      pause = EVERY;
    } catch {
      said.textContent = word("lost");
      pause = Math.min(pause * 2, SLOWEST);
    }
    next();
  }

  function show(told) {
    if (told.total) {
      bar.max = told.total;
      bar.value = Math.min(told.done, told.total);
    }
    count.textContent = told.count;
    said.textContent = told.said;
  }

  function next() {
    setTimeout(look, pause);
  }

  box.querySelector("[data-refresh]")?.remove();
  next();
}
