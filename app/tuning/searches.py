"""What a walk asks of the service, waiting while it is away."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import TypeAdapter

from app.curves.curve import Curve, make_curve
from app.curves.roles import to_roles
from app.errors import CurvewiseError, NotFound
from app.rules.context import Context
from app.search.answers import Next, Proposal, Ranked, StepReport
from app.search.search import Goal, Search
from app.search.space import Space
from app.search.trial import MOST_POINTS, Trial

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0
_PAGE = 1000  # runs
_NEXT = TypeAdapter(Next)
_STEPS = TypeAdapter(tuple[StepReport, ...])
_RANKING = TypeAdapter(tuple[Ranked, ...])
_LOOKED_AT = ("train/loss", "val/loss", "train/accuracy", "val/accuracy", "lr")


class Away(CurvewiseError):
    """The service does not answer now, and may later."""


class Channel(Protocol):
    """How the service is reached."""

    def ask(self, method: str, path: Sequence[str], body: object = None, **query: Any) -> dict[str, Any]:
        """Below /api/v1, once. Raises Away, NotFound, and CurvewiseError for what is refused."""


@dataclass(frozen=True)
class Standing:
    """How a search stands: what it is about, its seven steps, and the best of its ranking first."""

    about: Mapping[str, Any]
    steps: tuple[StepReport, ...]
    next: Next
    ranking: tuple[Ranked, ...]

    @property
    def metric(self) -> str:
        """What configurations are compared by."""
        return str(self.about["metric"])

    @property
    def goal(self) -> Goal:
        """Which way it is better."""
        goal: Goal = self.about["goal"]
        return goal


def search_of(about: Mapping[str, Any]) -> Search:
    """What a search is about, from the service's JSON."""
    kept = {name: about[name] for name in ("metric", "goal", "seed", "steps_per_epoch", "most_runs", "num_classes")}
    priors = about["class_priors"]
    return Search(
        name=about["search"],
        space=Space.parse(about["space"]),
        class_priors=None if priors is None else tuple(priors),
        target_variance=about["target_variance"],
        **kept,
    )


class Searches:
    """One search of a service. Each call waits while the service is away, up to `patience_s`, or until `stop` is set.

    Raises Away when that was too long, NotFound, and CurvewiseError for what is refused.
    """

    def __init__(
        self,
        channel: Channel,
        project: str,
        search: str,
        *,
        patience_s: float = math.inf,
        stop: threading.Event | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.project, self.search = project, search
        self._channel, self._patience_s, self._note = channel, patience_s, note
        self._stop = stop or threading.Event()

    def put(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Make the search, or change it."""
        return self._patiently("PUT", self._here(), dict(said))

    def get(self) -> dict[str, Any] | None:
        """What the search is about, None when there is none of this name."""
        try:
            return self._patiently("GET", self._here(), ranked=1)
        except NotFound:
            return None

    def next(self, count: int) -> Next:
        """Which step comes next, with at most `count` runs for it."""
        return _NEXT.validate_python(self.said_next(count))

    def said_next(self, count: int) -> dict[str, Any]:
        """The same, as it was said."""
        return self._patiently("GET", (*self._here(), "next"), count=count)

    def standing(self, ranked: int = 10) -> Standing:
        """How it stands, with the `ranked` best configurations."""
        said = self._patiently("GET", self._here(), ranked=ranked)
        return Standing(
            said,
            _STEPS.validate_python(said["steps"]),
            _NEXT.validate_python(said["next"]),
            _RANKING.validate_python(said["ranking"]),
        )

    def open(self, proposal: Proposal, tags: Mapping[str, str]) -> None:
        """Open the run of a proposal, as a trial of the search."""
        said = {
            "search": self.search,
            "search_step": proposal.search_step,
            "config": proposal.config,
            "tags": dict(tags),
            "context": {"planned_steps": proposal.planned_steps},
        }
        self._patiently("PUT", self._run(proposal.run), said)

    def run(self, name: str) -> dict[str, Any] | None:
        """What is known of a run, None when there is none of this name."""
        try:
            return self._patiently("GET", self._run(name))
        except NotFound:
            return None

    def runs(self) -> Iterator[dict[str, Any]]:
        """The search's runs as the project lists them, in name order."""
        path, after = ("projects", self.project, "runs"), None
        while True:
            more: dict[str, str] = {} if after is None else {"after": after}
            page = self._patiently("GET", path, limit=_PAGE, **more)
            yield from (run for run in page["items"] if run["search"] == self.search)
            if (after := page["next"]) is None:
                return

    def join(self, name: str, config: Mapping[str, Any], search_step: int | None) -> None:
        """Open a run that was made elsewhere as a trial of the search."""
        said = {"search": self.search, "search_step": search_step, "config": dict(config)}
        self._patiently("PUT", self._run(name), said)

    def record(self, name: str, curve: str, steps: Sequence[float], values: Sequence[float]) -> None:
        """Add points to a run. Raises CurvewiseError that says what was refused."""
        body = {"curves": {curve: {"steps": list(steps), "values": list(values)}}}
        said = self._patiently("POST", (*self._run(name), "points"), body)
        if said["rejected"]:
            raise CurvewiseError(f"{len(said['rejected'])} points were refused: {said['rejected'][0]['reason']}")

    def finish(self, name: str, state: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Say how a run ended. Its configuration has these values whatever else the job posted."""
        run = self.run(name) or {"config": {}, "tags": {}}
        said = {"config": {**run["config"], **config}, "tags": {**run["tags"], **tags}}
        self._patiently("PUT", self._run(name), said)
        self._patiently("POST", (*self._run(name), "finish"), {"state": state})

    def seen(self, name: str, metric: str, *, wait: bool = True) -> Trial | None:
        """A run as it stands now; None while it has no points. Without `wait`, Away is raised at once."""
        ask = self._patiently if wait else self._channel.ask
        run = ask("GET", self._run(name))
        wanted = {*_LOOKED_AT, metric}
        named = [one["name"] for one in run["curves"] if {one["name"], one["role"]} & wanted]
        if not named:
            return None
        columns = ask("GET", (*self._run(name), "curves"), name=named, max_points=MOST_POINTS)["curves"]
        curves = {
            curve: make_curve(curve, column["steps"], [float(value) for value in column["values"]])
            for curve, column in columns.items()
        }
        return Trial(
            run=name,
            config=run["config"],
            state=run["context"]["state"],
            declared=run["search_step"],
            curves=_by_role(curves, run, metric),
            context=Context(planned_steps=run["context"]["planned_steps"], state=run["context"]["state"]),
            diagnosis=None,
        )

    def _here(self) -> tuple[str, ...]:
        return ("projects", self.project, "searches", self.search)

    def _run(self, name: str) -> tuple[str, ...]:
        return ("projects", self.project, "runs", name)

    def _patiently(self, method: str, path: Sequence[str], body: object = None, **query: Any) -> dict[str, Any]:
        begun, wait_s, told = time.monotonic(), _FIRST_WAIT_S, False
        while True:
            try:
                answer = self._channel.ask(method, path, body, **query)
            except Away as away:
                if self._stop.is_set() or time.monotonic() + wait_s - begun > self._patience_s:
                    raise
                if not told:
                    self._note(f"{away}; trials go on, and it is asked again until it answers")
                told = True
            else:
                if told:
                    self._note("the server answers again")
                return answer
            self._stop.wait(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def _by_role(curves: Mapping[str, Curve], run: Mapping[str, Any], metric: str) -> dict[str, Curve]:
    """As the project maps them; the metric may be a curve's own name."""
    roles = {one["name"]: one["role"] or "" for one in run["curves"]}
    found = dict(to_roles(curves, roles))
    return {**found, metric: curves[metric]} if metric in curves else found
