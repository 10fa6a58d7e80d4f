// The tray of one's own long work: asked for while something of it runs, at no time else; seldom while nothing changes,
// and more seldom while nobody looks. The title of the browser's tab says when something is done.
// Without script: the tray's links lead to the list of tasks and to one's files.
import { word } from "./words.js";

const EVERY = 1500; // milliseconds
const SLOWEST = 15_000;
const UNSEEN = 10_000;
const SLOWER = 1.5;

const tray = document.querySelector("[data-tray]");
const title = document.title;

if (tray && Number(tray.dataset.open) > 0) watch(tray);

function watch(box) {
  const lines = box.querySelector("[data-work]");
  const dot = document.querySelector("[data-tray-count]");
  const bell = document.querySelector("[data-bell-count]");
  const running = new Set();
  let tag = "";
  let pause = 0;

  async function look() {
    try {
      const headers = { "X-Dialog": "1", Accept: "text/html", ...(tag ? { "If-None-Match": tag } : {}) };
      const answer = await fetch(box.dataset.tray, { headers, credentials: "same-origin" });
      if (answer.status === 304) pause = Math.min(Math.max(pause, EVERY) * SLOWER, SLOWEST);
      else if (!answer.ok) return;
      else {
        tag = answer.headers.get("ETag") || "";
        pause = EVERY;
        if (!show(await answer.text())) return;
      }
    } catch {
      box.querySelector("[data-said]")?.replaceChildren(word("lost"));
      pause = Math.min(Math.max(pause, EVERY) * 2, SLOWEST);
    }
    setTimeout(look, document.hidden ? Math.max(pause, UNSEEN) : pause);
  }

  /** Take over what the server tells; false once nothing runs any more. */
  function show(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const told = holder.content.querySelector("[data-open]");
    if (!told) return false;
    for (const line of told.querySelectorAll("[data-work]")) take(line);
    const open = Number(told.dataset.open);
    dot.textContent = open || "✓";
    dot.classList.toggle("is-over", !open);
    if (bell && Number(told.dataset.notices) > 0) {
      bell.hidden = false;
      bell.textContent = Number(told.dataset.notices) < 100 ? told.dataset.notices : "99+";
      bell.closest("a").setAttribute("aria-label", told.dataset.bell);
    }
    return open > 0;
  }

  /** Put a line where it stood. While its state is the same only figures change, so that focus stays where it is. */
  function take(line) {
    const key = line.dataset.work;
    const ended = line.dataset.told;
    const standing = lines.querySelector(`[data-work="${CSS.escape(key)}"]`);
    if (!ended) running.add(key);
    else if (running.delete(key)) say(ended);
    if (!standing) lines.append(line);
    else if (standing.dataset.state !== line.dataset.state) standing.replaceWith(line);
    else update(standing, line);
  }

  function update(standing, line) {
    for (const part of ["[data-count]", "[data-said]"]) {
      standing.querySelector(part).textContent = line.querySelector(part).textContent;
    }
    const [bar, now] = [standing.querySelector("progress"), line.querySelector("progress")];
    if (bar && now?.hasAttribute("value")) {
      bar.max = now.max;
      bar.value = now.value;
    }
  }

  function say(sentence) {
    document.title = `✓ ${sentence} · ${title}`;
    box.querySelector("[data-news]").textContent = sentence;
  }

  look();
}

// Who looks at the page again has seen it.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && document.title !== title) setTimeout(() => { document.title = title; }, 4000);
});
