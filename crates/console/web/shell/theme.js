// Runs before the first paint, so that the page never flashes in the wrong scheme. Not a module on purpose.
(() => {
  const chosen = localStorage.getItem("mainstay.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
