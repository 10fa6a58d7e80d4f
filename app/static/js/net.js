// How scripts ask the server. A lost network is said once, in a banner that goes away when it is back; a session that is
// over or a locked screen is mended over the page, and then what was asked is asked again, once.
import { make, word } from "./words.js";

const LOOK_EVERY = 4_000;
const PATIENCE = 60_000;
const PATIENCE_WITH_FILE = 300_000;
const ALIVE = "/alive";

let banner = null;
let looking = 0;
const menders = new Map();

/** Let another part mend an answer of a kind (401, 423): a function to a promise of whether to ask again. */
export function mends(status, mender) { menders.set(status, mender); }

const timeOf = (date) => date.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });

function lost() {
  if (banner?.isConnected) return;
  clearInterval(looking);
  const sentence = word("net").replace("{}", timeOf(new Date()));
  banner = make("div", { class: "net", role: "alert", id: "net" }, sentence);
  // Over an open dialog too: what is modal hides the rest from who cannot see it.
  (document.querySelector("dialog[open]") || document.body).append(banner);
  looking = setInterval(look, LOOK_EVERY);
}

function found() {
  if (!banner) return;
  clearInterval(looking);
  banner.remove();
  banner = null;
}

async function look() {
  if (document.visibilityState === "hidden") return;
  await reachable();
}

/** Say whether the server can be reached now; the banner follows. */
export async function reachable() {
  if (navigator.onLine === false) { lost(); return false; }
  try {
    const answer = await fetch(ALIVE, { credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(8_000) });
    if (!answer.ok) throw new Error(answer.statusText);
    found();
    return true;
  } catch {
    lost();
    return false;
  }
}

addEventListener("offline", lost);
addEventListener("online", look);

const hasFile = (body) => body instanceof FormData && [...body.values()].some((value) => value instanceof File && value.size > 0);

/** Fetch from the server as a script of ours does. Rejects where the network is lost. */
export async function ask(url, options = {}) {
  const answer = await once(url, options);
  const mender = menders.get(answer.status);
  if (!mender) return answer;
  const token = await mender(answer.clone());
  if (token === null) return answer;
  if (token && options.body instanceof FormData && options.body.has("csrf_token")) options.body.set("csrf_token", token);
  return once(url, options);
}

async function once(url, options) {
  const patience = AbortSignal.timeout(hasFile(options.body) ? PATIENCE_WITH_FILE : PATIENCE);
  try {
    const answer = await fetch(url, {
      ...options,
      credentials: "same-origin",
      signal: options.signal ? AbortSignal.any([options.signal, patience]) : patience,
      headers: { "X-Dialog": "1", Accept: "text/html, application/json", ...options.headers },
    });
    found();
    return answer;
  } catch (wrong) {
    if (!options.signal?.aborted) lost();
    throw wrong;
  }
}
