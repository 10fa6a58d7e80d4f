// Light or dark as the person chose, or as her system says, before the first paint. A plain script, loaded in the head.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    const chosen = root.dataset.theme;
    root.dataset.bsTheme = chosen === "dark" || (chosen !== "light" && dark.matches) ? "dark" : "light";
  };
  follow();
  dark.addEventListener("change", follow);
  root.addEventListener("themechange", follow);
  root.classList.add("js");
})();
