// What every page does: copy buttons, tables loaded on demand, choosing runs, charts.

import { offerCopying } from "./copy.js";
import { startCharts } from "./run.js";

offerCopying(document);
loadOnOpening();
limitChoice();
startCharts();

function loadOnOpening() {
  for (const details of document.querySelectorAll("details[data-fragment]")) {
    details.addEventListener("toggle", async () => {
      if (!details.open) return;
      const into = details.querySelector("[data-into]");
      const at = new URL(location.href).searchParams.get("at_step");
      const path = new URL(details.dataset.fragment, location.href);
      if (at) path.searchParams.set("at_step", at); else path.searchParams.delete("at_step");
      path.searchParams.set("part_only", "1");
      const reply = await fetch(path);
      if (reply.ok) into.innerHTML = await reply.text(); // from our own server, escaped there
    });
  }
}

function limitChoice() {
  const form = document.querySelector("[data-choose]");
  if (!form) return;
  const button = form.querySelector("[data-compare]");
  const says = form.querySelector("[data-chosen]");
  const usual = says.textContent;
  const most = Number(form.dataset.most);
  const update = () => {
    const chosen = form.querySelectorAll("input[name=run]:checked").length;
    button.disabled = chosen < 2 || chosen > most;
    says.textContent = chosen ? `${chosen} chosen${chosen > most ? `, and ${most} can be compared` : ""}.` : usual;
  };
  form.addEventListener("change", update);
  window.addEventListener("pageshow", update); // Back brings the ticks back
}
