// Draws the charts of a report, in the colours that the reader's system asks for. Without it the pictures stay.
"use strict";
(() => {
  const themes = JSON.parse(document.getElementById("themes").textContent);
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  // No `eval` (the page's policy forbids it), no style elements (it forbids those too), nothing to load.
  const options = {
    ast: true,
    actions: false,
    renderer: "svg",
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
    logLevel: 1, // errors: a run without NaN has an empty layer, which is no news
  };
  const views = new Map();

  const draw = async (place) => {
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    spec.config = themes[night.matches ? "dark" : "light"];
    views.get(place)?.finalize();
    views.set(place, await window.vegaEmbed(place, spec, options));
    place.closest("figure").classList.add("shown");
  };
  // What stands in a closed section has no width yet: it is drawn when it is opened.
  const open = (place) => !place.closest("details:not([open])");
  const drawAll = () => Promise.all([...document.querySelectorAll(".chart")].filter(open).map(draw));

  document.documentElement.classList.add("drawn");
  drawAll().catch((error) => {
    document.documentElement.classList.remove("drawn");
    throw error;
  });
  night.addEventListener("change", drawAll);
  for (const section of document.querySelectorAll("details")) {
    section.addEventListener("toggle", () => section.querySelectorAll(".chart").forEach((place) => views.has(place) || draw(place)));
  }

  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const code = button.parentElement.querySelector("code");
      window.getSelection().selectAllChildren(code);
      // The clipboard API is not there for files that were opened from disk.
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
    });
  }
})();
