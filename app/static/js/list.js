// Lists by keyboard: the arrows, Home, End, PageUp and PageDown walk the rows, Enter opens the focused link, "e" edits or
// does the first act, Space selects. In the filter bar a clicked choice is applied at once. A table that fits its card
// lets its head stick to the window.
const FAR = 10;
const rows = () => [...document.querySelectorAll("table[data-rows] tbody tr")].filter((row) => row.offsetParent);
const linkOf = (row) => row.querySelector("td:not(.sel) a[href], td:not(.sel) button") || row.querySelector("input");
const rowOf = (element) => element?.closest("table[data-rows] tbody tr");
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: FAR, PageUp: -FAR, Home: -Infinity, End: Infinity };

/** Focus a row's link; the row stands in sight. */
function focusRow(row) {
  const link = linkOf(row);
  link?.focus();
  row.scrollIntoView({ block: "nearest" });
}

function walk(event) {
  const step = STEPS[event.key];
  const here = rowOf(document.activeElement);
  // Away from the rows, only the arrows enter them: the other keys scroll the page as ever.
  if (!here && Math.abs(step) !== 1) return;
  const list = rows();
  if (!list.length) return;
  event.preventDefault();
  const at = here ? Math.max(0, Math.min(list.length - 1, list.indexOf(here) + step)) : 0;
  focusRow(list[at]);
}

/** Do with the focused row what its key says; return whether something was done. */
function press(key, row) {
  if (key === "e") {
    const target = row.querySelector("[data-edit]") || row.querySelector(".menu a[data-act], td a[data-act]");
    target?.click();
    return Boolean(target);
  }
  const box = row.querySelector('input[type="checkbox"][name="id"]');
  box?.click();
  return Boolean(box);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented) return;
  const at = event.target;
  if (at.closest("[popover], dialog, select, textarea, input:not([type=checkbox])")) return;
  if (event.key in STEPS && (at === document.body || at.id === "main" || at.closest(".wrap"))) { walk(event); return; }
  const row = rowOf(at);
  // Space on a button or a box is its own.
  const isFree = event.key === "e" || (event.key === " " && at.matches("a"));
  if (row && isFree && press(event.key, row)) event.preventDefault();
});

for (const form of document.querySelectorAll("form[data-filters]")) {
  // A click on a choice applies it; walking the choices with the arrow keys (detail 0) does not.
  form.addEventListener("click", (event) => {
    if (!event.target.matches("[data-send]")) return;
    // A period takes the place of a from and a to, and they of it.
    for (const day of event.target.closest(".box").querySelectorAll("[data-span]")) day.value = "";
    if (event.detail > 0) form.requestSubmit();
  });
  form.addEventListener("input", (event) => {
    if (event.target.matches("[data-span]")) event.target.closest(".box").querySelector("[data-send]").checked = true;
  });
  // Empty controls would only make the address long.
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
}

// A table wider than its card scrolls inside it; else its head may stick to the window.
const measure = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    target.classList.remove("fits");
    const fits = target.scrollWidth <= target.clientWidth + 1;
    target.classList.toggle("fits", fits);
    if (fits) target.removeAttribute("tabindex"); else target.tabIndex = 0;
  }
});
for (const wrap of document.querySelectorAll(".wrap")) measure.observe(wrap);
