// A recording that is played is heard: its line says so at once, as the server has written down.
document.addEventListener("playing", ({ target }) => {
  const line = target.closest?.("[data-sound]");
  const then = line?.querySelector("[data-then][hidden]");
  if (!then) return;
  then.hidden = false;
  line.querySelector("[data-now]").remove();
  line.parentElement.querySelector("[data-until-heard]")?.remove();
}, true);
// One at a time: who plays another stops the first.
document.addEventListener("play", ({ target }) => {
  for (const other of document.querySelectorAll("audio")) if (other !== target) other.pause();
}, true);
