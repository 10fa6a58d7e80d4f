// Selecting rows: all of the page at once, a range with Shift, a count; the bar of acts appears with the first row.
const bar = document.querySelector("form[data-many]");
const all = document.querySelector("table input[data-all]");
const boxes = () => [...document.querySelectorAll('input[form="many"][name="id"]')];
let last = null;

function tell() {
  const every = boxes();
  const chosen = every.filter((box) => box.checked);
  for (const box of every) box.closest("tr").classList.toggle("chosen", box.checked);
  bar.classList.toggle("on", chosen.length > 0);
  const count = bar.querySelector("[data-count]");
  count.textContent = count.dataset.say.replace("{}", chosen.length);
  if (!all) return;
  all.checked = chosen.length === every.length;
  all.indeterminate = chosen.length > 0 && !all.checked;
}

function setAll(checked) {
  for (const box of boxes()) box.checked = checked;
  tell();
}

if (bar) {
  bar.classList.add("js");
  bar.querySelector("[data-none]").hidden = false;
  bar.querySelector("[data-none]").addEventListener("click", () => { setAll(false); boxes()[0]?.focus(); });
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => setAll(all.checked));
  }
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!box.matches?.('input[form="many"]')) return;
    const every = boxes();
    if (event.shiftKey && last && every.includes(last)) {
      const [from, to] = [every.indexOf(last), every.indexOf(box)].sort((a, b) => a - b);
      for (const between of every.slice(from, to + 1)) between.checked = box.checked;
    }
    last = box;
    tell();
  });
  addEventListener("pageshow", tell);
  tell();
}
