// The side menu remembers which groups are closed; popover menus are placed where CSS cannot place them, and
// are walked with the arrow keys.
const CLOSED = "yimei.closed-groups";

function closedGroups() {
  try { return new Set(JSON.parse(localStorage.getItem(CLOSED) || "[]")); } catch { return new Set(); }
}

const closed = closedGroups();
for (const group of document.querySelectorAll("details.grp")) {
  const name = group.querySelector("summary").textContent.trim();
  if (closed.has(name) && !group.querySelector("[aria-current]")) group.open = false;
  group.addEventListener("toggle", () => {
    if (group.open) closed.delete(name); else closed.add(name);
    try { localStorage.setItem(CLOSED, JSON.stringify([...closed])); } catch { /* private mode: forget */ }
  });
}
// By hand: scrollIntoView would move the page as well.
const here = document.querySelector(".side [aria-current]");
const side = here?.closest(".side");
if (side) side.scrollTop += Math.max(0, here.getBoundingClientRect().bottom - side.getBoundingClientRect().bottom + 12);

const placesItself = CSS.supports("position-area", "block-end");

/** Put an opened popover under its button, or above it where there is no room, inside the window. */
function place(menu) {
  const button = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
  if (!button || menu.classList.contains("side")) return;
  const at = button.getBoundingClientRect();
  const fits = at.bottom + menu.offsetHeight + 8 < innerHeight;
  const left = menu.closest(".chip") ? at.left : at.right - menu.offsetWidth;
  menu.style.inset = "auto";
  menu.style.left = Math.max(8, Math.min(left, innerWidth - menu.offsetWidth - 8)) + "px";
  menu.style.top = Math.max(8, fits ? at.bottom + 4 : at.top - menu.offsetHeight - 4) + "px";
}

const ITEMS = ":is(a[href], button, input, select)";

document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (event.newState !== "open" || !menu.matches?.(".menu, .side")) return;
  if (!placesItself) place(menu);
  if (menu.classList.contains("box")) menu.querySelector("input:checked, input, select")?.focus();
}, true);

document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const menu = event.target.closest?.(".menu:popover-open:not(.box)") || opened(event.target);
  if (!menu) return;
  const items = [...menu.querySelectorAll(ITEMS)];
  const step = event.key === "ArrowDown" ? 1 : -1;
  const at = items.indexOf(document.activeElement);
  event.preventDefault();
  event.stopPropagation();
  items[(at + step + items.length) % items.length]?.focus();
}, true);

function opened(button) {
  const id = button.getAttribute?.("popovertarget");
  const menu = id ? document.getElementById(id) : null;
  return menu?.matches(".menu:popover-open:not(.box)") ? menu : null;
}
