"""From a wrong initialisation and a wrong rate to a good model, in seven steps, by what the service says.

    python -m examples.seven_steps              # starts a server of its own
    python -m examples.seven_steps --url http://127.0.0.1:8000 --seed 3

The program knows nothing about training but how to do it: which runs to make, how long, at which rate and from which
initialisation it reads from `GET …/searches/{search}/next`, and when to stop too. Nothing is read out of sentences.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import curvewise_client as curvewise
from app.demo.server import running_server
from examples.digits import CLASSES, PER_EPOCH, SPACE, TRAIN, WRONG, Digits, Outcome, load, train

SEARCH = "digits"
ALL_RUNS = 60  # the most that the search may make
PATIENCE_S = 60.0  # that a run waits at its end for the server to have all of it
LAST = 7  # the step whose one run of another schedule is the model to keep
Say = Callable[[str], None]


@dataclass
class Walk:
    """What was done and what came of it. outcomes, made: run -> outcome, proposal, in the order of the runs."""

    made: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    runs_of_step: Counter[int] = field(default_factory=Counter)
    updates_of_step: Counter[int] = field(default_factory=Counter)
    chosen: str = ""

    @property
    def updates(self) -> int:
        """Made in all runs together."""
        return sum(outcome.updates for outcome in self.outcomes.values())


class Job:
    """Makes the runs of a search and posts what they log, as any training job would."""

    def __init__(self, url: str, project: str, data: Digits, spool: Path) -> None:
        self._url, self._project, self._data, self._spool = url, project, data, spool

    def make(
        self, name: str, search_step: int, config: Mapping[str, Any], settings: Mapping[str, Any], updates: int
    ) -> Outcome:
        """One run of so many updates, from its first step until the server has all of it."""
        run = curvewise.start(
            self._project,
            name,
            url=self._url,
            spool=self._spool,
            interval_s=0.05,
            exit_timeout_s=PATIENCE_S,
            config=dict(config),
            search=SEARCH,
            search_step=search_step,
            num_classes=CLASSES,
            planned_steps=updates,
            dataset_size=int(settings.get("sample_size", TRAIN)),
            pretrained="none",
        )
        outcome = train(self._data, config, settings, updates, run.log)
        run.finish()
        return outcome


def walk(url: str, data: Digits, *, seed: int, project: str, spool: Path, say: Say, most_runs: int = ALL_RUNS) -> Walk:
    """Ask what comes next, do it, and ask again, until the service says stop or has nothing to propose."""
    done, job = Walk(), Job(url, project, data, spool)
    search = f"/api/v1/projects/{project}/searches/{SEARCH}"
    with httpx.Client(base_url=url, timeout=60) as http:
        facts = {"space": SPACE, "seed": seed, "steps_per_epoch": PER_EPOCH, "num_classes": CLASSES}
        http.put(search, json={**facts, "most_runs": most_runs}).raise_for_status()
        while True:
            following = _read(http, f"{search}/next")
            say(f"step {following['search_step']}, {following['name']}: {following['why']}")
            if following["stop"] or not following["proposals"]:
                break
            for proposal in following["proposals"]:
                _do(job, proposal, done, say)
        ranking = _read(http, search)["ranking"]
    if ranking:
        # Runs of the configuration that leads, and what was trained of it at last.
        runs = [*ranking[0]["runs"], *(run for run, made in done.made.items() if made["search_step"] == LAST)]
        done.chosen = min(runs, key=lambda run: done.outcomes[run].val_loss)
        say(f"chosen: {ranking[0]['config']}, run {done.chosen}: {_words(done.outcomes[done.chosen])}")
    return done


def _do(job: Job, proposal: Mapping[str, Any], done: Walk, say: Say) -> None:
    name, search_step = proposal["run"], proposal["search_step"]
    updates = round(proposal["planned_steps"])
    outcome = job.make(name, search_step, proposal["config"], proposal["settings"], updates)
    done.made[name], done.outcomes[name] = proposal, outcome
    done.runs_of_step[search_step] += 1
    done.updates_of_step[search_step] += outcome.updates
    say(f"    {name}: {proposal['config']} {proposal['settings']}, {_words(outcome)}")


def changes(done: Walk) -> Iterator[str]:
    """Each step in a line: its runs, its updates, what its best run has that the best of the step before had not."""
    before: dict[str, Any] = {**WRONG, "initialisation": "the job's own"}
    for search_step in sorted(done.runs_of_step):
        runs = [run for run, made in done.made.items() if made["search_step"] == search_step]
        # Where nothing is validated: the run that fitted its sample soonest, or the last.
        ranked = [(done.outcomes[run].val_loss, done.outcomes[run].updates, -k) for k, run in enumerate(runs)]
        best = runs[-min(ranked)[2]]
        settings = done.made[best]["settings"]
        now = {**done.made[best]["config"], "initialisation": settings.get("initialisation", "the job's own")}
        changed = [f"{name} {before[name]} -> {value}" for name, value in now.items() if value != before[name]]
        before = now
        count = f"step {search_step}: {len(runs)} runs, {done.updates_of_step[search_step]:,} updates"
        yield f"{count}; best {_words(done.outcomes[best])}; {', '.join(changed) or 'nothing changed'}"


def _read(http: httpx.Client, path: str) -> dict[str, Any]:
    reply = http.get(path)
    reply.raise_for_status()
    found: dict[str, Any] = reply.json()
    return found


def _words(outcome: Outcome) -> str:
    if outcome.val_loss == float("inf"):
        return f"{outcome.updates} updates, nothing finite to validate"
    return (
        f"{outcome.updates} updates, val loss {outcome.val_loss:.4f}, test loss {outcome.test_loss:.4f}, "
        f"test accuracy {outcome.test_accuracy:.1%}"
    )


def main() -> None:
    """Walk the steps once and print what each changed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="a server that runs; without it, one is started for the time being")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--project", default="seven-steps")
    parser.add_argument("--most-runs", type=int, default=ALL_RUNS, help="the most runs that the search may make")
    said = parser.parse_args()
    data = load()
    before = train(data, WRONG, {"seed": said.seed}, 15 * PER_EPOCH)
    print(f"before: {WRONG}, {_words(before)}")
    with ExitStack() as held:
        url = said.url or held.enter_context(running_server())
        spool = Path(held.enter_context(tempfile.TemporaryDirectory()))
        done = walk(url, data, seed=said.seed, project=said.project, spool=spool, say=print, most_runs=said.most_runs)
    print("\nwhat each step changed:", *changes(done), sep="\n")
    print(f"in all: {len(done.outcomes)} runs, {done.updates:,} updates")
    sys.exit(0 if done.chosen else 1)


if __name__ == "__main__":
    main()
