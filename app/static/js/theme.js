// Light or dark as the person's system says, before the first paint. A plain script, loaded in the head.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => { root.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  follow();
  dark.addEventListener("change", follow);
  root.classList.add("js");
})();
