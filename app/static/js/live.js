// A list that shows itself anew when something in it changed: a tag is asked for every second or so, the list only when
// it is another one, and never under a hand: not while a menu or dialog is open, a row is chosen or something is typed.
const EVERY = 1_200; // milliseconds
const UNSEEN = 15_000;
const PATIENCE = 8_000;
const list = document.querySelector("[data-live]");
if (list) watch();

function watch() {
  const address = list.dataset.live;
  const headers = { "X-Dialog": "1", "X-Board": "1" };
  let here = list;
  let tag = "";
  let is_old = false;

  const ask = (url, more = {}) => fetch(url, {
    cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE), headers: { ...headers, ...more },
  });
  const isHeld = () => document.querySelector("dialog[open], :popover-open")
    || here.querySelector("input[type=checkbox]:checked, [aria-busy=true]") || here.contains(document.activeElement) && document.activeElement.matches("input, select");

  async function look() {
    try {
      if (!is_old) {
        const answer = await ask(address, tag ? { "If-None-Match": tag } : {});
        if (answer.ok) {
          is_old = tag !== "" && tag !== answer.headers.get("ETag");
          tag = answer.headers.get("ETag") || "";
        }
      }
      if (is_old && !isHeld()) await renew();
    } catch { /* the banner of a lost network says so elsewhere; here one only looks again */ }
    setTimeout(look, document.hidden ? UNSEEN : EVERY);
  }

  async function renew() {
    const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin", headers: { "X-Board": "1", Accept: "text/html" } });
    const found = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    if (!found || isHeld()) return;
    const focused = document.activeElement?.closest?.("a[href]")?.getAttribute("href");
    here.replaceChildren(...document.importNode(found, true).childNodes);
    is_old = false;
    if (focused) here.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  look();
}
