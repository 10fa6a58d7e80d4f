// The tree of departments: a row is dragged onto another to become part of it. The drop only opens the act's
// dialog with the place filled in; the same act stands in the row's menu for the keyboard.
const tree = document.querySelector("[data-tree]");
let dragged = null;

const targetOf = (event) => {
  const target = event.target.closest?.("[data-onto]");
  return target && dragged && !dragged.closest("li").contains(target) ? target : null;
};

const clear = () => { for (const row of tree.querySelectorAll(".onto")) row.classList.remove("onto"); };

function openMove(url, parent) {
  let link = tree.querySelector("a[data-moving]");
  if (!link) {
    link = document.createElement("a");
    link.setAttribute("data-act", "move");
    link.setAttribute("data-moving", "");
    link.tabIndex = -1;
    tree.append(link);
  }
  const address = new URL(url, location.href);
  address.searchParams.set("parent_id", parent);
  link.href = address.href;
  link.click();
}

if (tree) {
  for (const row of tree.querySelectorAll("[data-move]")) row.draggable = true;
  tree.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("[data-move]");
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.querySelector(".leaf-name").textContent.trim());
    dragged.classList.add("dragged");
    // Shown after the picture of what is dragged was taken: else Chromium ends the drag when the page moves.
    setTimeout(() => { tree.querySelector(".to-top").hidden = false; });
  });
  tree.addEventListener("dragover", (event) => {
    const target = targetOf(event);
    clear();
    if (!target) return;
    event.preventDefault();
    target.classList.add("onto");
  });
  tree.addEventListener("drop", (event) => {
    const target = targetOf(event);
    if (!target) return;
    event.preventDefault();
    openMove(dragged.dataset.move, target.dataset.onto);
  });
  tree.addEventListener("dragend", () => {
    clear();
    dragged?.classList.remove("dragged");
    dragged = null;
    tree.querySelector(".to-top").hidden = true;
  });
}
