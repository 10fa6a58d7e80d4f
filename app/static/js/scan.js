// A scanner is a keyboard that types fast and ends with Enter. What it types goes to the scan box from wherever one is,
// also from within a dialog, and the field that has the focus never sees it: a key waits until the next one could have
// come, then it is a person's and goes on. A person's fastest fingers are slower than the slowest scanner.
// A field that asks for a code itself (data-scanned) keeps what is scanned in it, and its form is sent.
const GAP = 35;
const LEAST = 6;
const box = document.getElementById("scan");
const TEXT = "input:not([type]), input:is([type=text], [type=search], [type=tel], [type=url], [type=email], [type=password], [type=number]), textarea";
const OTHER = "select, input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=file])";

let keys = [];
let last = -Infinity;
let timer = 0;
let field = null;
let before = null;
let withheld = [];
let handing = false;
// What was just handed on as a person's typing, and when. A scan that halted for a moment goes on after it.
let handed = { field: null, text: "", at: -Infinity };
const HALT = 400;

const kindOf = (element) => {
  if (element.isContentEditable || element.matches?.(TEXT)) return "text";
  return element.matches?.(OTHER) ? "other" : "none";
};

/** What a select or a day holds: its own keys change it before one knows whose they are. */
const standing = (element) => ({ value: element.value, index: element.selectedIndex });

function restore(element, held) {
  if (element.matches("select")) element.selectedIndex = held.index;
  else if (element.value !== held.value) element.value = held.value;
}

function reset() {
  clearTimeout(timer);
  keys = [];
  withheld = [];
  field = before = null;
  last = -Infinity;
}

/** The keys were a person's: give them to where they were meant for. */
function hand() {
  const [mine, into, events, typed, at] = [keys, field, withheld, kindOf(field || document.body), last];
  reset();
  if (!mine.length) return;
  const begun = handed.field === into && at - handed.at <= HALT ? handed.text : "";
  handed = { field: into, text: begun + mine.map((key) => key.key).join(""), at };
  handing = true;
  try {
    if (typed === "text") {
      if (document.activeElement === into) document.execCommand("insertText", false, mine.map((key) => key.key).join(""));
    } else if (typed === "other") {
      for (const event of events) event.target.dispatchEvent(new Event(event.type, { bubbles: true }));
    } else {
      for (const key of mine) (into?.isConnected ? into : document.body).dispatchEvent(new KeyboardEvent("keydown", key));
    }
  } finally {
    handing = false;
  }
}

function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    // A busy page handles keys late: what is on its way already is looked at first.
    if (navigator.scheduling?.isInputPending?.()) wait();
    else hand();
  }, GAP + 5);
}

/** The beginning of a scan that halted, taken out of the text field that got it. */
function takeBack() {
  const { field: into, text, at } = handed;
  if (!text || into !== field || keys[0].at - at > HALT) return "";
  if (kindOf(into) === "text" && into.value !== undefined) {
    const end = into.selectionEnd ?? into.value.length;
    if (into.value.slice(0, end).endsWith(text)) into.value = into.value.slice(0, end - text.length) + into.value.slice(end);
  }
  return text;
}

function scanned() {
  const code = takeBack() + keys.map((key) => key.key).join("");
  if (before) restore(field, before);
  const into = field;
  reset();
  if (into?.matches?.("[data-scanned]") && into.form) {
    into.value = code;
    into.dispatchEvent(new Event("input", { bubbles: true }));
    into.form.requestSubmit(); // stops at the first field that is still wanted
    return;
  }
  box.value = code;
  box.form.requestSubmit();
}

function keep(event) {
  const kind = kindOf(event.target);
  if (!keys.length) {
    field = event.target;
    before = kind === "other" ? standing(event.target) : null;
  }
  keys.push({ at: event.timeStamp, key: event.key, code: event.code, shiftKey: event.shiftKey, bubbles: true, cancelable: true });
  last = event.timeStamp;
  if (kind !== "other") event.preventDefault();
  event.stopImmediatePropagation();
  wait();
}

function onKey(event) {
  // Rows of a form are added by scanning, too: there a code is meant for the form.
  if (event.target.closest?.("[data-line-add]")) return;
  if (handing || document.documentElement.classList.contains("is-locked")) return;
  // A shifted letter of a scanner comes with the key Shift itself.
  if (event.key === "Shift" && !event.isComposing) return;
  const inTime = event.timeStamp - last <= GAP;
  const isChar = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat;
  const isMine = isChar && !event.isComposing && event.keyCode !== 229;
  if (event.key === "Enter" && inTime && keys.length >= LEAST) {
    event.preventDefault();
    event.stopImmediatePropagation();
    scanned();
    return;
  }
  if (keys.length && (!inTime || !isMine || event.target !== field)) hand();
  if (isMine) keep(event);
}

if (box) {
  addEventListener("keydown", onKey, true);
  for (const name of ["pointerdown", "focusout", "paste", "compositionstart", "submit"]) addEventListener(name, hand, true);
  // A select tells of its change at once; it is told when it is known to be a person's.
  for (const name of ["input", "change"]) {
    addEventListener(name, (event) => {
      if (handing || !before || event.target !== field) return;
      event.stopImmediatePropagation();
      withheld.push(event);
    }, true);
  }
}
