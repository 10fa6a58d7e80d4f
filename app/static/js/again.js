// The session is over while a page stands open: whose page it is logs in over it, and all forms of the page go on with the
// new session's token. Another person is led away from what is not hers.
import { mends } from "./net.js";
import { word } from "./words.js";

const dialog = document.getElementById("log-in-again");
let waiting = null;

if (dialog) {
  const form = dialog.querySelector("form");
  const wrong = dialog.querySelector("[data-wrong]");
  const code = dialog.querySelector("[data-code]");
  const own = dialog.dataset.whose;
  let address = form.action;

  const say = (sentence) => { wrong.textContent = sentence; wrong.hidden = !sentence; };
  const get = async () => (await fetch(dialog.dataset.who, { credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } })).json();
  const leave = () => { document.dispatchEvent(new CustomEvent("house:leave")); location.assign("/"); };

  /** Put the token of the new session into every form of the page, those of closed dialogs as well. */
  const renew = (token) => {
    for (const input of document.querySelectorAll("input[name=csrf_token]")) input.value = token;
    document.dispatchEvent(new CustomEvent("house:token", { detail: token }));
    return token;
  };

  const enter = async () => {
    const now = await get();
    if (now.whose === own) return renew(now.csrf_token);
    form.elements.csrf_token.value = now.csrf_token;
    return new Promise((resolve) => {
      say("");
      form.elements.password.value = "";
      code.hidden = true;
      address = form.action;
      dialog.done = resolve;
      dialog.showModal();
      form.elements.password.focus();
    });
  };

  const send = async () => {
    if (form.hasAttribute("data-busy")) return;
    form.setAttribute("data-busy", "");
    try {
      const answer = await fetch(address, {
        method: "POST", body: new FormData(form), credentials: "same-origin",
        headers: { "X-Dialog": "1", Accept: "application/json" },
      });
      const said = await answer.json();
      if (said.code_needed) {
        address = dialog.dataset.second;
        code.hidden = false;
        say("");
        form.elements.code.focus();
      } else if (!answer.ok) {
        say(said.message || word("failed"));
        (code.hidden ? form.elements.password : form.elements.code).select();
      } else if (said.whose !== own) {
        leave();
      } else {
        dialog.done(renew(said.csrf_token));
        dialog.done = null;
        dialog.close();
      }
    } catch {
      say(word("offline"));
    } finally {
      form.removeAttribute("data-busy");
    }
  };

  form.addEventListener("submit", (event) => { event.preventDefault(); event.stopPropagation(); send(); });
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  // However it was closed: the session is over until somebody logged in.
  dialog.addEventListener("close", () => { if (dialog.done) { dialog.showModal(); form.elements.password.focus(); } });
  mends(401, () => {
    waiting = waiting || enter().finally(() => { waiting = null; });
    return waiting;
  });
}

// After a login without the page behind it, one step leads back into the form; with script it is taken at once.
document.querySelector("form[data-go]")?.requestSubmit();
