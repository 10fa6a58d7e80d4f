// Choosing and ordering columns: a line is dragged, or moved with Alt and the arrow keys; the numbers follow.
// Without script the numbers are typed.
let dragged = null;

const number = (list) => {
  [...list.children].forEach((line, index) => { line.querySelector("[data-place]").value = index + 1; });
};

const lineOf = (event) => event.target.closest?.("[data-ordered] > [data-moves]");

/** Let the lines under the root be dragged, once. */
export function makeOrdered(root) {
  for (const list of root.querySelectorAll("[data-ordered]:not(.js)")) {
    list.classList.add("js");
    for (const line of list.querySelectorAll("[data-moves]")) line.draggable = true;
  }
}

document.addEventListener("dragstart", (event) => {
  dragged = lineOf(event);
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.textContent.trim());
  dragged.classList.add("dragged");
});
document.addEventListener("dragover", (event) => {
  const over = dragged && lineOf(event);
  if (!over || over.parentElement !== dragged.parentElement) return;
  event.preventDefault();
  const box = over.getBoundingClientRect();
  if (over !== dragged) over[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged);
});
document.addEventListener("dragend", () => {
  if (!dragged) return;
  number(dragged.parentElement);
  dragged.classList.remove("dragged");
  dragged = null;
});
document.addEventListener("keydown", (event) => {
  const line = event.altKey && lineOf(event);
  if (!line || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
  event.preventDefault();
  const other = event.key === "ArrowUp" ? line.previousElementSibling : line.nextElementSibling;
  if (!other?.matches("[data-moves]")) return;
  other[event.key === "ArrowUp" ? "before" : "after"](line);
  number(line.parentElement);
  line.querySelector("input")?.focus();
});
