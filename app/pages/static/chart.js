// A chart: a spec made by the server, drawn by Vega, its data replaced as it changes. No expression of it is evaluated as
// code (`ast`), no style is injected: the page's Content-Security-Policy allows neither.

const NIGHT = matchMedia("(prefers-color-scheme: dark)");
const ZOOM_WAITS_MS = 250;

export class Chart {
  // figure: holds [data-canvas]; path: where the spec is, options of the drawing in its query.
  constructor(figure, path) {
    this.figure = figure;
    this.canvas = figure.querySelector("[data-canvas]");
    this.path = new URL(path, location.href);
    this.zoomed = null; // [from, to] on the axis that is drawn
    this.onZoom = () => {};
    this.view = null;
    this.working = Promise.resolve();
    NIGHT.addEventListener("change", () => this.enqueue(() => this.draw()));
    // A wheel scrolls the page, as everywhere; with Ctrl it zooms, as on maps.
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) event.stopImmediatePropagation();
      else event.preventDefault();
    }, { capture: true, passive: false });
  }

  // Read the spec again, with these fields of its query set (null: removed), and show it.
  refresh(fields = {}) {
    for (const [name, value] of Object.entries(fields)) {
      if (value === null || value === "") this.path.searchParams.delete(name);
      else this.path.searchParams.set(name, value);
    }
    return this.enqueue(() => this.read());
  }

  // One at a time, in order: a slow answer never replaces a later one.
  enqueue(work) {
    this.working = this.working.then(work).catch((error) => this.say(error));
    return this.working;
  }

  async read() {
    const path = new URL(this.path);
    const steps = this.zoomed && this.stepsOf(this.zoomed);
    if (steps) {
      path.searchParams.set("first_step", steps[0]);
      path.searchParams.set("last_step", steps[1]);
    }
    const reply = await fetch(path);
    const content = await reply.json();
    if (!reply.ok) throw new Error(content.detail);
    if (!steps) this.overview = content.spec.datasets.points;
    const shape = shapeOf(content.spec);
    const same = this.view && shape === this.shape;
    this.content = content;
    this.shape = shape;
    if (same) await this.replaceData(content.spec.datasets);
    else await this.draw();
  }

  async replaceData(datasets) {
    for (const [name, rows] of Object.entries(datasets)) if (this.holds(name)) this.view.data(name, rows);
    await this.view.runAsync();
    this.tell();
  }

  holds(name) {
    try { return Boolean(this.view.data(name)); } catch { return false; } // Vega drops a data set that no mark shows
  }

  async draw() {
    if (!this.content) return;
    const look = this.content.looks[NIGHT.matches ? "dark" : "light"];
    const spec = { ...this.content.spec, config: { ...look, background: "transparent", font: getComputedStyle(this.canvas).fontFamily } };
    const { view, finalize } = await window.vegaEmbed(this.canvas, spec, {
      logLevel: 1, // a layer without a point is no mistake
      ast: true, actions: false, defaultStyle: false, renderer: "canvas", tooltip: tooltip(this.figure),
      loader: { load: () => Promise.reject(new Error("a chart loads nothing")) },
    });
    this.finalize?.();
    this.finalize = finalize;
    this.view = view;
    this.figure.querySelector("[data-waits]")?.remove();
    this.axis = this.path.searchParams.get("x") ?? "step";
    if (this.zoomed) await this.zoomTo(this.zoomed);
    this.listen();
    this.tell();
  }

  listen() {
    let waiting;
    if (!this.hasSignal("zoom")) return;
    this.view.addSignalListener("zoom", (_, value) => {
      const across = value?.[this.axis];
      const now = across ? [Math.min(...across), Math.max(...across)] : null;
      if (String(now) === String(this.zoomed)) return;
      this.zoomed = now;
      clearTimeout(waiting);
      waiting = setTimeout(() => { this.onZoom(this.zoomed); this.refresh(); }, ZOOM_WAITS_MS);
    });
  }

  hasSignal(name) {
    try { this.view.signal(name); return true; } catch { return false; }
  }

  // interval: [from, to] on the axis, or null for all. Vega's zoom is of both axes or of none: what is seen fills the height.
  async zoomTo(interval) {
    if (!this.hasSignal("zoom")) return;
    this.view.signal(`zoom_${this.axis}`, interval).signal("zoom_value", interval && this.heightOf(interval));
    await this.view.runAsync();
  }

  heightOf([from, to]) {
    const rows = (this.overview ?? []).filter((row) => row[this.axis] >= from && row[this.axis] <= to);
    const values = rows.flatMap((row) => [row.value, row.smooth]).filter(Number.isFinite);
    if (!values.length) return this.view.scale("y").domain();
    const low = least(values), high = most(values);
    const edge = this.path.searchParams.get("log") === "1" ? 0 : 0.04 * (high - low || Math.abs(high) || 1);
    return [low - edge, high + edge];
  }

  extent() {
    const values = (this.overview ?? []).map((row) => row[this.axis]).filter(Number.isFinite);
    return values.length ? [least(values), most(values)] : [0, 1];
  }

  // The steps of what is zoomed to and as much again on either side, so that moving a little shows no void.
  stepsOf([from, to]) {
    const margin = to - from;
    const rows = (this.overview ?? []).filter((row) => Number.isFinite(row[this.axis]));
    const before = rows.filter((row) => row[this.axis] <= from - margin).map((row) => row.step);
    const beyond = rows.filter((row) => row[this.axis] >= to + margin).map((row) => row.step);
    return [before.length ? most(before) : 0, beyond.length ? least(beyond) : Number.MAX_SAFE_INTEGER];
  }

  tell() {
    this.canvas.setAttribute("role", "img"); // Vega has a role of its own for it, which few screen readers know
    this.canvas.setAttribute("aria-label", this.content.spec.description ?? this.canvas.getAttribute("aria-label"));
    const says = this.figure.querySelector("[data-says]");
    if (says) says.textContent = this.content.spec.usermeta?.says ?? "";
    this.figure.dataset.points = this.content.spec.datasets?.points?.length ?? 0;
    this.figure.dataset.drawn = String(Number(this.figure.dataset.drawn ?? 0) + 1);
    performance.mark("chart-drawn");
  }

  say(error) {
    const waits = this.figure.querySelector("[data-waits]");
    if (waits) waits.textContent = `The chart cannot be drawn: ${error.message}`;
    console.error(error);
  }
}

// Everything but the data: while it stays the same, a chart is kept and only its data are replaced.
function shapeOf(spec) {
  const { datasets, description, ...rest } = spec;
  return JSON.stringify([rest, Object.entries(datasets ?? {}).map(([name, rows]) => [name, rows.length > 0])]);
}

// Beside the pointer, as text: a curve's name is whatever somebody called it.
function tooltip(figure) {
  let tip = figure.querySelector(".tip");
  if (!tip) {
    tip = document.createElement("dl");
    tip.className = "tip";
    tip.hidden = true;
    figure.append(tip);
  }
  return (_handler, event, _item, value) => {
    tip.hidden = value === null || value === undefined || value === "";
    if (tip.hidden) return;
    const lines = typeof value === "object" ? Object.entries(value) : [["", value]];
    tip.replaceChildren(...lines.filter(([, text]) => text !== "").flatMap(([name, text]) => {
      const term = document.createElement("dt"), detail = document.createElement("dd");
      term.textContent = name;
      detail.textContent = text;
      return name ? [term, detail] : [detail];
    }));
    const box = figure.getBoundingClientRect();
    const left = event.clientX - box.left, wide = tip.offsetWidth;
    tip.style.left = `${Math.max(4, left + wide + 24 > box.width ? left - wide - 12 : left + 12)}px`;
    tip.style.top = `${event.clientY - box.top + 12}px`;
  };
}

const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
