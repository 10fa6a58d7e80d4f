// A board asks every few seconds whether anything changed (304: nothing did) and takes the new lanes in the place of the
// old ones: focus stays on its card, nothing moves under an open dialog or menu. A lost connection is said, with since
// when. Keys: the arrows walk cards and lanes, Enter does the card's next act, "o" opens its record.
const board = document.querySelector("[data-board]");
const EVERY = 2_500; // milliseconds: two boards agree within five seconds
const PATIENCE = 8_000;

if (board) {
  const lanes = board.querySelector("[data-lanes]");
  const asOf = board.querySelector("[data-as-of]");
  const lost = board.querySelector("[data-lost]");
  let tag = board.dataset.tag;
  let timer = 0;
  let told = performance.now(); // when the times that run were told

  const cards = () => [...lanes.querySelectorAll("[data-card]")];
  const cardOf = (element) => element?.closest?.("[data-card]");
  const isHeld = () => document.querySelector("dialog[open]") || lanes.querySelector(":popover-open, [aria-busy=true]");

  /** One card is reached by Tab, the arrows reach the others. */
  function rove(active = null) {
    const every = cards();
    const one = active || every.find((card) => card.tabIndex === 0) || every[0];
    for (const card of every) card.tabIndex = card === one ? 0 : -1;
  }

  function swap(html) {
    const focused = cardOf(document.activeElement);
    const key = focused?.dataset.card;
    const open = new Set([...lanes.querySelectorAll("[data-card]:has(details[open])")].map((card) => card.dataset.card));
    const within = focused ? [...focused.querySelectorAll("a, button")].indexOf(document.activeElement) : -1;
    const lane = focused?.closest(".lane").getAttribute("aria-labelledby");
    const holder = document.createElement("template");
    holder.innerHTML = html;
    lanes.replaceChildren(holder.content);
    told = performance.now();
    for (const card of cards()) if (open.has(card.dataset.card)) card.querySelector("details")?.setAttribute("open", "");
    rove();
    if (!key) return;
    // A card that is gone hands the focus to the first one of its lane.
    const card = cards().find((other) => other.dataset.card === key) || lanes.querySelector(`[aria-labelledby="${lane}"] [data-card]`);
    if (!card) return;
    rove(card);
    (card.dataset.card === key && card.querySelectorAll("a, button")[within] || card).focus({ preventScroll: true });
  }

  async function look() {
    clearTimeout(timer);
    if (!document.hidden && !isHeld()) {
      try {
        const answer = await fetch(board.dataset.board, {
          cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE),
          headers: { "X-Board": "1", "X-Dialog": "1", "If-None-Match": `"${tag}"` },
        });
        await take(answer);
      } catch {
        lost.querySelector("[data-said]").textContent = lost.dataset.say.replace("{}", asOf.textContent);
        lost.hidden = false;
      }
    }
    timer = setTimeout(look, EVERY);
  }

  async function take(answer) {
    if (answer.status === 401) { location.reload(); return; }
    if (answer.status === 423) return; // the lock lies over the page; after it this goes on
    if (answer.status !== 304 && !answer.ok) throw new Error(String(answer.status));
    const html = answer.status === 304 ? "" : await answer.text();
    if (html && isHeld()) return;
    if (html) {
      tag = (answer.headers.get("ETag") || "").replace(/^W\/|"/g, "");
      swap(html);
    }
    asOf.textContent = answer.headers.get("X-As-Of") || asOf.textContent;
    lost.hidden = true;
  }

  function walk(card, key) {
    const lane = card.closest(".lane");
    const here = [...lane.querySelectorAll("[data-card]")];
    const at = here.indexOf(card);
    if (key === "ArrowUp" || key === "ArrowDown") return here[at + (key === "ArrowDown" ? 1 : -1)];
    const every = [...lanes.querySelectorAll(".lane")].filter((other) => other === lane || other.querySelector("[data-card]"));
    const next = every[every.indexOf(lane) + (key === "ArrowRight" ? 1 : -1)];
    const there = next ? [...next.querySelectorAll("[data-card]")] : [];
    return there[Math.min(at, there.length - 1)];
  }

  /** Let what runs show how long it has lasted by now. */
  function run() {
    const since = Math.floor((performance.now() - told) / 1000);
    for (const clock of lanes.querySelectorAll("[data-runs]")) {
      const seconds = Number(clock.dataset.runs) + since;
      clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }
  }

  /** Do what a key says: a digit anywhere, a letter on the card that has the focus. */
  function shortcut(event) {
    if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !/^[a-z1-9]$/.test(event.key)) return;
    if (document.querySelector("dialog[open]") || event.target.closest("input, select, textarea, [contenteditable]")) return;
    const card = cardOf(event.target);
    const where = /\d/.test(event.key) ? lanes : card;
    const target = where?.querySelector(`[data-key="${event.key}"]`) || (event.key === "w" && card?.querySelector("summary"));
    if (!target) return;
    event.preventDefault();
    target.click();
  }

  lanes.addEventListener("keydown", (event) => {
    const card = cardOf(event.target);
    if (!card || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = walk(card, event.key);
      if (next) { rove(next); next.focus(); }
      return;
    }
    const isCard = event.target === card;
    const target = event.key === "Enter" && isCard ? card.querySelector("a[data-act], form[data-quick] button") || card.querySelector("a")
      : event.key === "o" ? card.querySelector(".bcard-top a") : null;
    if (!target) return;
    event.preventDefault();
    target.click();
  });
  lanes.addEventListener("focusin", (event) => { if (cardOf(event.target)) rove(cardOf(event.target)); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  addEventListener("online", look);
  document.addEventListener("keydown", shortcut);
  // What was done here is seen at once, and nobody is taken away from the board.
  document.addEventListener("house:done", (event) => {
    if (event.detail.pathname !== location.pathname) return;
    event.preventDefault();
    for (const form of lanes.querySelectorAll("form[data-busy]")) form.removeAttribute("data-busy");
    look();
  });
  setInterval(run, 1_000);
  rove();
  timer = setTimeout(look, EVERY);
}
