// Related tables stand one under the other; here they become tabs. The address keeps the open one.
import { make } from "./words.js";

for (const card of document.querySelectorAll("[data-tabs]")) {
  const panels = [...card.querySelectorAll(":scope > section")];
  const list = make("div", { class: "quick", role: "tablist" });
  const tabs = panels.map((panel) => {
    const heading = panel.querySelector(".sec");
    const tab = make("button", { type: "button", role: "tab", id: panel.id + "-tab", "aria-controls": panel.id });
    tab.append(...[...heading.childNodes].map((node) => node.cloneNode(true)));
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    list.append(tab);
    return tab;
  });
  const open = (chosen, focus = false) => {
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", index === chosen ? "true" : "false");
      tab.tabIndex = index === chosen ? 0 : -1;
      panels[index].hidden = index !== chosen;
    });
    if (focus) tabs[chosen].focus();
  };
  tabs.forEach((tab, index) => tab.addEventListener("click", () => {
    open(index);
    history.replaceState(null, "", "#" + panels[index].id);
  }));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    open((tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length, true);
  });
  card.prepend(list);
  open(Math.max(0, panels.findIndex((panel) => "#" + panel.id === location.hash)));
}
