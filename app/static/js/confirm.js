// A form with data-confirm asks once, in the page's own dialog, before it is sent.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const sentence = form.dataset?.confirm;
  if (!sentence || form.hasAttribute("data-sure")) return;
  event.preventDefault();
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-text").textContent = sentence;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "yes") return;
    form.setAttribute("data-sure", "");
    form.requestSubmit(event.submitter);
  };
  dialog.showModal();
});
