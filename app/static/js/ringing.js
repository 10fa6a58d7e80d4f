// Who calls: the pages of a person with an extension ask every second and a half, seldom while nobody looks at them, and
// show it in a corner, over nothing that is being typed. A call that was hidden stays hidden until its state changes.
// Without script: the list of incoming calls.
const EVERY = 1_500; // milliseconds: shown within two seconds
const UNSEEN = 10_000;
const SLOWEST = 12_000;
const PATIENCE = 8_000;
const HIDDEN = "calls-hidden";

const box = document.querySelector("[data-ringing]");
if (box) watch(box);

function watch(holder) {
  const shown = holder.querySelector("[data-calls]");
  const news = holder.querySelector("[data-news]");
  let tag = "";
  let pause = EVERY;
  let timer = 0;

  const markOf = (call) => `${call.dataset.call} ${call.dataset.mark}`;
  const hidden = () => new Set(JSON.parse(sessionStorage.getItem(HIDDEN) || "[]"));

  async function look() {
    clearTimeout(timer);
    try {
      const answer = await fetch(holder.dataset.ringing, {
        cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE),
        headers: { "X-Dialog": "1", "X-Board": "1", Accept: "text/html", ...(tag ? { "If-None-Match": tag } : {}) },
      });
      pause = EVERY;
      if (answer.ok) {
        tag = answer.headers.get("ETag") || "";
        take(await answer.text());
      } else if (answer.status !== 304) {
        tag = "";
        shown.replaceChildren(); // locked or logged out: nothing of a caller stays on the screen
        pause = SLOWEST;
      }
    } catch {
      pause = Math.min(pause * 2, SLOWEST);
    }
    timer = setTimeout(look, document.hidden ? Math.max(pause, UNSEEN) : pause);
  }

  /** Put each call where it stood; one whose state is the same is left alone, so that focus stays where it is. */
  function take(html) {
    const told = document.createElement("template");
    told.innerHTML = html;
    const calls = [...told.content.querySelectorAll("[data-call]")];
    const away = hidden();
    for (const call of shown.querySelectorAll("[data-call]")) {
      if (!calls.some((other) => other.dataset.call === call.dataset.call)) call.remove();
    }
    for (const call of calls.reverse()) { // the newest is told first and stands on top
      if (away.has(markOf(call))) continue;
      const standing = shown.querySelector(`[data-call="${call.dataset.call}"]`);
      if (standing?.outerHTML === call.outerHTML) continue;
      if (!standing) news.textContent = call.dataset.told;
      if (standing) standing.replaceWith(call);
      else shown.prepend(call);
    }
  }

  shown.addEventListener("click", (event) => {
    const call = event.target.closest("[data-dismiss]")?.closest("[data-call]");
    if (!call) return;
    sessionStorage.setItem(HIDDEN, JSON.stringify([...hidden(), markOf(call)].slice(-50)));
    call.remove();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  look();
}
