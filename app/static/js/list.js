// Lists: arrows walk the rows, Enter opens the focused link; a clicked choice of the filter bar is applied at once; the head
// sticks to the top of the window where the table fits.
const rows = () => [...document.querySelectorAll("table[data-rows] tbody tr")].filter((row) => row.offsetParent);
const linkOf = (row) => row.querySelector("a[href], button");

function current(list) {
  const focused = document.activeElement?.closest("table[data-rows] tbody tr");
  return focused ? list.indexOf(focused) : -1;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const free = event.target === document.body || event.target.id === "main" || event.target.closest(".wrap");
  if (!free || event.target.closest("[popover], dialog")) return;
  const list = rows();
  if (!list.length) return;
  event.preventDefault();
  const at = current(list);
  const next = at < 0 ? 0 : Math.max(0, Math.min(list.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)));
  const link = linkOf(list[next]);
  link?.focus();
  link?.closest("tr").scrollIntoView({ block: "nearest" });
});

for (const form of document.querySelectorAll("form[data-filters]")) {
  // A click on a choice applies it; walking the choices with the arrow keys (detail 0) does not.
  form.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.matches("[data-send]")) form.requestSubmit();
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
