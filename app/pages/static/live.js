// A running job as it goes on. The server sends at most a few events a second, however fast the job logs; each says only that
// something is new, and what is new is read at the pace at which it can be shown. So the page never holds more than one
// chart's worth of points, and a slow machine falls behind in smoothness, not in time.

const REST = 4; // of the time spent on a refresh, times so much is left to everything else
const LEAST_WAIT_MS = 250;

export function follow(run, { chart, audit, standing, live }) {
  const tell = (text) => {
    const line = run.querySelector("[data-live-says]");
    if (!line) return;
    line.hidden = !text;
    line.textContent = text;
  };
  const draw = paced(async () => {
    if (live.replaying) return;
    await chart.refresh();
    if (await standing.load()) tell("live");
    const last = run.querySelector("[data-last-step]");
    if (last) live.grow?.(Number(last.textContent));
  });
  const judge = paced(async () => {
    if (live.replaying) return;
    const before = findings(run);
    if (await audit.load()) announce(run, before, findings(run));
    await chart.refresh();
  });
  const look = async () => {
    await standing.load();
    tell("live");
    draw();
    judge();
  };
  let source = null;
  const connect = () => {
    source = new EventSource(run.dataset.events);
    source.onerror = () => tell("the connection is lost; trying again …"); // and it goes on after the last event it had
    source.addEventListener("state", look); // comes first in every stream, also after a broken connection
    source.addEventListener("points", draw);
    source.addEventListener("diagnosis", judge);
  };
  // A browser has few connections for one server: a page that nobody sees holds none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) source?.close();
    else connect();
  });
  live.lookAgain = look;
  if (!document.hidden) connect();
}

const findings = (run) => [...run.querySelectorAll("#audit .finding h3")].map((one) => one.textContent.trim());

function announce(run, before, after) {
  const fresh = after.filter((one) => !before.includes(one));
  const gone = before.filter((one) => !after.includes(one));
  const parts = [...fresh.map((one) => `New finding: ${one}.`), ...gone.map((one) => `No longer found: ${one}.`)];
  if (parts.length) run.querySelector("[data-announce]").textContent = parts.join(" ");
}

// Runs `act` for any number of calls meanwhile once more, never twice at a time, and rests in between.
function paced(act) {
  let running = false, again = false;
  return async function run() {
    if (running) { again = true; return; }
    running = true;
    do {
      again = false;
      const begun = performance.now();
      try { await act(); } catch (error) { console.error(error); }
      await new Promise((resolve) => setTimeout(resolve, Math.max(LEAST_WAIT_MS, REST * (performance.now() - begun))));
    } while (again);
    running = false;
  };
}
