// The charts of a page, with what belongs to them: options, zoom buttons, replay, and the live course of a running job.

import { Chart } from "./chart.js";
import { follow } from "./live.js";
import { Part } from "./part.js";

const REPLAY_WAITS_MS = 150;
const OPTION_WAITS_MS = 120;

export function startCharts() {
  for (const figure of document.querySelectorAll("[data-shape]")) drawWhenSeen(figure);
  const figure = document.querySelector("[data-chart]");
  if (!figure) return;
  const chart = new Chart(figure, figure.dataset.spec);
  const ready = chart.refresh();
  offerOptions(chart);
  offerZoom(chart);
  const run = document.querySelector("[data-run]");
  if (run) offerReplay(run, chart, ready);
}

function drawWhenSeen(figure) {
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    new Chart(figure, figure.dataset.shape).refresh();
  }, { rootMargin: "300px" });
  watcher.observe(figure);
}

function offerOptions(chart) {
  const form = document.querySelector("[data-options]");
  const says = form.querySelector("[data-smoothing-says]");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", later(OPTION_WAITS_MS, () => {
    const fields = Object.fromEntries(["metric", "x", "log", "smoothing"].map((name) => [name, form.elements[name]?.value ?? ""]));
    const usual = { log: "0", smoothing: "0", x: "step" };
    for (const name of Object.keys(usual)) if (fields[name] === usual[name]) fields[name] = null;
    says.textContent = fields.smoothing ?? "off";
    if (fields.x !== chart.path.searchParams.get("x")) { // an interval of another axis means nothing
      chart.zoomed = null;
      chart.onZoom(null);
    }
    remember(fields);
    chart.refresh(fields);
  }));
}

function offerZoom(chart) {
  const bar = document.querySelector("[data-zooming]");
  if (!bar) return;
  bar.hidden = false;
  const says = bar.querySelector("[data-zoomed]");
  const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });
  chart.onZoom = (interval) => {
    says.textContent = interval ? `${chart.axis} ${number.format(interval[0])} to ${number.format(interval[1])}` : "";
  };
  bar.addEventListener("click", (event) => {
    const action = event.target.dataset?.zoom;
    if (!action || !chart.view) return;
    chart.enqueue(() => { // after what is under way: a second press zooms from where the first one led
      const all = chart.extent();
      const [from, to] = chart.zoomed ?? all;
      const wide = to - from, middle = (from + to) / 2;
      const moved = {
        in: [middle - wide / 4, middle + wide / 4],
        out: [Math.max(all[0], middle - wide), Math.min(all[1], middle + wide)],
        earlier: [Math.max(all[0], from - wide / 2), Math.max(all[0], from - wide / 2) + wide],
        later: [Math.min(all[1], to + wide / 2) - wide, Math.min(all[1], to + wide / 2)],
        all: null,
      }[action];
      const whole = !moved || (moved[0] <= all[0] && moved[1] >= all[1]);
      return chart.zoomTo(whole ? null : moved);
    });
  });
}

function offerReplay(run, chart, ready) {
  const audit = new Part(document.querySelector("#audit"), run.dataset.audit);
  const standing = new Part(document.querySelector("#standing"), run.dataset.standing);
  const live = { replaying: new URL(location.href).searchParams.has("at_step") };
  const form = document.querySelector("[data-replay]");
  if (form) {
    const scrub = form.querySelector("[data-scrub]"), says = form.querySelector("[data-at]"), now = form.querySelector("[data-now]");
    const show = later(REPLAY_WAITS_MS, (at) => {
      remember({ at_step: at });
      chart.refresh({ at_step: at });
      audit.load({ at_step: at });
      if (at === null) live.lookAgain?.();
    });
    const move = () => {
      const last = Number(scrub.max);
      const exact = Number(scrub.value);
      const at = exact >= last ? null : last >= 50 ? Math.round(exact) : exact;
      live.replaying = at !== null;
      now.disabled = at === null;
      says.textContent = at ?? last;
      scrub.setAttribute("aria-valuetext", `step ${at ?? last}`);
      show(at);
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    scrub.addEventListener("input", move);
    now.addEventListener("click", () => { scrub.value = scrub.max; scrub.focus(); move(); });
    live.grow = (last) => {
      scrub.max = last;
      if (live.replaying) return;
      scrub.value = last;
      says.textContent = last;
      scrub.setAttribute("aria-valuetext", `step ${last}`);
    };
  }
  if (run.dataset.follow) ready.then(() => follow(run, { chart, audit, standing, live })); // the first sight goes first
}

// The address always leads back to what is seen.
function remember(fields) {
  const here = new URL(location.href);
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === "") here.searchParams.delete(name);
    else here.searchParams.set(name, value);
  }
  history.replaceState(null, "", here);
}

function later(wait, act) {
  let waiting;
  return (...values) => { clearTimeout(waiting); waiting = setTimeout(() => act(...values), wait); };
}
