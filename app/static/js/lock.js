// One key, one button and idle time lock the screen: at once in the browser, and on the server, which then shows no page
// until the password was typed. The page behind stays as it is, so what was typed is there again after unlocking.
import { mends } from "./net.js";
import { word } from "./words.js";

const dialog = document.getElementById("lock");
const LOOK_EVERY = 5_000;
const SAY_EVERY = 45_000;
const TOUCHES = ["keydown", "pointerdown", "pointermove", "wheel", "touchstart", "input"];
const ACTIVE = "yimei.active";

if (dialog) {
  const after = Number(dialog.dataset.after) * 1000;
  const form = dialog.querySelector("[data-unlock]");
  const wrong = dialog.querySelector("[data-wrong]");
  const password = form.elements.password;
  const others = new BroadcastChannel("yimei-lock");
  const waiting = [];
  let locked = false;
  let title = document.title;
  let touched = Date.now();
  let told = Date.now();

  const say = (sentence) => { wrong.textContent = sentence; wrong.hidden = !sentence; };

  const ask = (url, body = new FormData()) => {
    body.set("csrf_token", form.elements.csrf_token.value);
    return fetch(url, { method: "POST", body, credentials: "same-origin", headers: { "X-Dialog": "1", Accept: "application/json" } });
  };

  const lastTouch = () => {
    try { return Math.max(touched, Number(localStorage.getItem(ACTIVE)) || 0); } catch { return touched; }
  };

  // Cover first, then tell the server: who walks by must not wait for the network.
  const cover = () => {
    if (locked) return;
    locked = true;
    title = document.title;
    document.title = dialog.dataset.title;
    document.documentElement.classList.add("is-locked");
    say("");
    password.value = "";
    if (!dialog.open) dialog.showModal();
    password.focus();
  };

  const lockNow = () => {
    if (locked) return;
    cover();
    others.postMessage("lock");
    ask(dialog.dataset.lock).catch(() => {});
  };

  const uncover = () => {
    locked = false;
    touched = told = Date.now();
    document.title = title;
    document.documentElement.classList.remove("is-locked");
    dialog.close();
    for (const go of waiting.splice(0)) go("");
  };

  const unlock = async () => {
    if (form.hasAttribute("data-busy")) return;
    form.setAttribute("data-busy", "");
    try {
      const answer = await ask(form.action, new FormData(form));
      if (answer.ok) {
        uncover();
        others.postMessage("unlock");
      } else if (answer.status === 401) {
        location.reload();
      } else {
        say((await answer.json()).message || word("failed"));
        password.select();
      }
    } catch {
      say(word("offline"));
    } finally {
      form.removeAttribute("data-busy");
    }
  };

  // The server says that the screen is locked: cover it, and ask again once it is not.
  mends(423, () => new Promise((resolve) => { waiting.push(resolve); cover(); }));
  form.addEventListener("submit", (event) => { event.preventDefault(); event.stopPropagation(); unlock(); });
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  // However it was closed: only the password opens it.
  dialog.addEventListener("close", () => { if (locked) { dialog.showModal(); password.focus(); } });
  others.addEventListener("message", ({ data }) => {
    if (data === "lock") cover();
    else if (locked) uncover();
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-lock-screen]")) return;
    event.preventDefault();
    lockNow();
  });
  addEventListener("keydown", (event) => {
    if (!event.ctrlKey || !event.altKey || event.code !== "KeyL") return;
    event.preventDefault();
    lockNow();
  }, true);
  for (const touch of TOUCHES) {
    addEventListener(touch, () => {
      if (locked) return;
      const now = Date.now();
      // A machine that slept wakes up with a touch: the time in between counts.
      if (now - lastTouch() >= after) { lockNow(); return; }
      if (now - touched > 1000) { try { localStorage.setItem(ACTIVE, String(now)); } catch { /* private mode: this tab alone */ } }
      touched = now;
    }, { capture: true, passive: true });
  }
  setInterval(() => {
    if (locked) return;
    const now = Date.now();
    if (now - lastTouch() >= after) { lockNow(); return; }
    if (touched <= told || now - told < SAY_EVERY) return;
    told = now;
    ask(dialog.dataset.here).then((answer) => { if (answer.status === 423) { cover(); others.postMessage("lock"); } }).catch(() => {});
  }, LOOK_EVERY);
}
