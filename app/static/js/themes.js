// Light, dark or as the system, in the person's menu: the page changes where it stands, with all that was typed in it.
// Without script the form loads the page anew.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-themes]") || !event.submitter) return;
  event.preventDefault();
  const chosen = event.submitter;
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", button === chosen ? "true" : "false");
  document.documentElement.dataset.theme = chosen.value;
  document.documentElement.dispatchEvent(new Event("themechange"));
  const told = new FormData(form, chosen);
  // Not kept if there is no connection just now; this page has changed all the same.
  fetch(form.action, { method: "POST", body: told, credentials: "same-origin", redirect: "manual" }).catch(() => {});
});
