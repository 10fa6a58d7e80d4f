// F2 and "/" go to the scan box from anywhere.
const box = document.getElementById("scan");

const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

document.addEventListener("keydown", (event) => {
  if (!box || event.ctrlKey || event.metaKey || event.altKey) return;
  const wanted = event.key === "F2" || (event.key === "/" && !isTyping(event.target));
  if (!wanted || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  box.focus();
  box.select();
});
