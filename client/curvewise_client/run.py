"""What a training job calls. Nothing here raises because of the server, the network, the disk or a bad value."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from curvewise_client import locks
from curvewise_client.advice import Advice, Diagnosis, advice_in
from curvewise_client.autopilot import Autopilot
from curvewise_client.engaging import engage
from curvewise_client.facts import facts_from, merged
from curvewise_client.notices import Notices
from curvewise_client.ranks import rank_of
from curvewise_client.sessions import About, check_attempt
from curvewise_client.settings import Settings, check_named, disabled, identity, settings_from
from curvewise_client.values import Unusable, check_name, step_number

if TYPE_CHECKING:
    from curvewise_client.parts import Parts

EXIT_TIMEOUT_S = 5.0
INTERVAL_S = 2.0


def start(
    project: str | None = None,
    run: str | None = None,
    *,
    num_classes: int | None = None,
    planned_steps: float | None = None,
    schedule: str | None = None,
    class_priors: Sequence[float] | None = None,
    target_variance: float | None = None,
    dataset_size: int | None = None,
    pretrained: str | None = None,
    caveats: Sequence[str] | None = None,
    config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    commit: str | None = None,
    search: str | None = None,
    search_step: int | None = None,
    attempt: int | str | None = None,
    url: str | None = None,
    token: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    rank: int | None = None,
    interval_s: float = INTERVAL_S,
    exit_timeout_s: float = EXIT_TIMEOUT_S,
) -> Run:
    """Begin to log a run. Returns at once, whether or not the server can be reached, and raises nothing.

    project, run: else CURVEWISE_PROJECT and CURVEWISE_RUN, which `curvewise search run` sets, with the search that the
    run is a trial of. num_classes: for a language model, the vocabulary. planned_steps: how long the run is meant to
    be, in the unit of the steps logged. schedule: the learning-rate schedule by name. class_priors: share of each class
    in the training data, together 1. target_variance: of a regression's targets. dataset_size: examples trained on.
    pretrained: the model that training starts from, "none" for none. caveats: known lies of the metrics. config: any
    JSON; what is no JSON is kept as text. search: the search for hyper-parameters that the run is a trial of, by name,
    and search_step: which of its seven steps it was made for. attempt: counted from 1; by default the next one, where
    the run has points already; "latest" joins the latest, for an evaluator beside the job.

    url, token, spool: else CURVEWISE_URL, CURVEWISE_TOKEN and CURVEWISE_SPOOL. rank: of this process, where it is not
    the launcher's; only rank 0 logs. interval_s: between two batches [seconds]. exit_timeout_s: the longest that
    `finish` and the end of the process wait for the server [seconds].
    """
    notices = Notices()
    project, run, search, search_step = identity(os.environ, project, run, search, search_step)
    said = {
        "num_classes": num_classes,
        "planned_steps": planned_steps,
        "schedule": schedule,
        "class_priors": class_priors,
        "target_variance": target_variance,
        "dataset_size": dataset_size,
        "pretrained": pretrained,
        "caveats": caveats,
        "config": config,
        "tags": tags,
        "commit": commit,
        "search": search,
        "search_step": search_step,
    }
    about = settings = None
    try:
        if not disabled(os.environ) and (rank_of(os.environ) if rank is None else rank) == 0:
            for name in (project, run):
                check_named(name)
                check_name(name)
            settings = settings_from(os.environ, url=url, token=token, spool=None if spool is None else Path(spool))
            facts = facts_from(said, lambda name, error: notices.say(f"{name} is not said of the run: {error}"))
            about = About(project, run, settings.url, facts, check_attempt(attempt))
        opened = Run(about, settings, notices, interval_s, exit_timeout_s)
    except Exception as error:
        notices.say(f"this run is not logged: {error}")
        opened = Run(None, None, notices, interval_s, exit_timeout_s)
    opened._planned_steps = planned_steps
    return opened


class Run:
    """One run as this process logs it, made by `start`. Any thread may call it, and a forked or spawned child may."""

    def __init__(
        self, about: About | None, settings: Settings | None, notices: Notices, interval_s: float, exit_timeout_s: float
    ) -> None:
        self._about = about  # None where nothing is logged
        self._settings = settings
        self._notices = notices
        self._interval_s = interval_s
        self._exit_timeout_s = exit_timeout_s
        self._lock = threading.Lock()
        self._parts: Parts | None = None
        self._finished = False
        self._planned_steps: Any = None  # as it was said: a loop that an autopilot ends has an end without a server
        self._owner = True  # a child that inherits the run does not close it
        if about is not None:
            self._open()
            _live.add(self)

    @property
    def project(self) -> str:
        """The project's name; empty where nothing is logged."""
        return "" if self._about is None else self._about.project

    @property
    def name(self) -> str:
        """The run's name within its project; empty where nothing is logged."""
        return "" if self._about is None else self._about.run

    def log(self, step: float, metrics: Mapping[str, Any]) -> None:
        """Keep what was measured at a step: it is in the spool when this returns, and nobody was waited for.

        step: optimiser updates so far, from 0 to 2**53. metrics: by name, such as {"train/loss": loss, "lr": lr};
        numbers, numpy scalars or tensors of one element; NaN and infinity are values. A bad value is left out with a
        warning. The last value of a step wins.
        """
        try:
            if (parts := self._parts or self._open()) is not None:
                parts.spool.points(step, metrics)
        except Exception as error:
            self._failed("log", error)

    def update(self, **facts: Any) -> None:
        """Say more about the run, any fact that `start` takes; caveats are added to those before."""
        self._planned_steps = facts.get("planned_steps", self._planned_steps)
        try:
            if (parts := self._parts or self._open()) is not None:
                after = facts_from(facts, lambda name, error: self._failed(f"update {name}", error))
                self._about = parts.session.about._replace(facts=merged(parts.session.about.facts, after))
                parts.tell(self._about)
        except Exception as error:
            self._failed("update", error)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until the server has what was logged so far -> whether it has. timeout_s: exit_timeout_s by default."""
        parts = self._parts
        return parts is not None and parts.sender.wait(self._exit_timeout_s if timeout_s is None else timeout_s)

    def finish(self, state: str = "finished", timeout_s: float | None = None) -> None:
        """Close the run as `finished` or `failed`, and wait for the server, though no longer than `timeout_s`.

        What could not be sent by then is still sent while the process lives, and afterwards by `curvewise-client sync`.
        """
        try:
            self._finish(state, self._exit_timeout_s if timeout_s is None else timeout_s)
        except Exception as error:
            self._failed("finish", error)

    def diagnosis(self, timeout_s: float = 5.0) -> Diagnosis | None:
        """The server's diagnosis of everything logged so far, in its own JSON; None when there is none in time."""
        parts = self._parts
        if parts is None or not parts.sender.wait(timeout_s, judged=True) or not parts.judge.answered:
            return None
        return parts.judge.latest

    def advice(self, timeout_s: float = 0.0) -> list[Advice]:
        """What the diagnosis recommends, the most important first; nothing is applied.

        timeout_s: wait at most so long for a diagnosis of everything logged so far. By default nobody is waited for,
        and the answer is from the latest diagnosis, which the background thread asks for every ten seconds from now on.
        """
        return advice_in(self._latest(timeout_s)[0])

    def should_stop(self, min_confidence: float = 0.8, timeout_s: float = 0.0) -> Advice | None:
        """The advice to stop, with its reason, when a finding at least so sure gives it; else None.

        In a distributed job only rank 0 is told: broadcast the answer, or the others wait for it for ever.
        """
        sure = (one for one in self.advice(timeout_s) if one.action == "stop" and one.confidence >= min_confidence)
        return next(sure, None)

    def log_action(
        self,
        step: float,
        action: str,
        text: str,
        *,
        args: Mapping[str, float | str] | None = None,
        code: str | None = None,
        confidence: float | None = None,
        by: str = "job",
        name: str | None = None,
        undone_at_step: float | None = None,
    ) -> None:
        """Tell what the job did at a step, about a finding or of its own accord: the page draws it on the curves.

        action: in the words of recommendations, such as `decay_lr`. text: one sentence. args: its numbers. code: of the
        finding. name: one of the run, by default made of the action and its step; the same again, with
        undone_at_step, says that it was taken back.
        """
        try:
            if (parts := self._parts or self._open()) is not None:
                said = {
                    "at_step": step_number(step),
                    "action": action,
                    "text": text,
                    "args": dict(args or {}),
                    "by": by,
                }
                more = {"code": code, "confidence": confidence, "undone_at_step": undone_at_step}
                said |= {key: value for key, value in more.items() if value is not None}
                parts.spool.action(name or f"{action}-{said['at_step']:.16g}", said)
        except Exception as error:
            self._failed("log_action", error)

    def autopilot(self, optimizer: Any = None, *, allow: Collection[str], **options: Any) -> Autopilot:
        """What acts on this run's findings from now on, as far as `allow` goes, and raises nothing; see `Autopilot`.

        optimizer: whose rate it may change. allow: of `decay_lr`, `lower_lr`, `raise_lr`, `stop` and `continue`.
        """
        return engage(self, optimizer, allow, options)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish("finished" if kind is None else "failed")

    def __deepcopy__(self, memo: dict[int, Any]) -> Run:
        return self  # frameworks copy their callbacks; it is still one run

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it is the same run and attempt, with a spool of its own; the token is not written down."""
        settings = None if self._settings is None else self._settings._replace(token=None)
        return _sent_over, (self._shared(), settings, self._interval_s, self._exit_timeout_s)

    def _latest(self, timeout_s: float) -> tuple[Diagnosis | None, bool]:
        """The latest diagnosis, which is asked for in the background from now on, and whether it is of everything."""
        parts = self._parts
        if parts is None:
            return None, False
        if not parts.judge.wanted:
            parts.judge.wanted = True
            parts.sender.nudge()
        if timeout_s > 0 and (found := self.diagnosis(timeout_s)) is not None:
            return found, True
        return parts.judge.latest, False

    def _open(self) -> Parts | None:
        """Make what logs and sends, at the start, and again in a child process; None where nothing is logged."""
        if self._about is None or self._settings is None:
            return None
        if self._finished:
            self._notices.once("finished", "the run is finished, and what is logged after that is left out")
            return None
        from curvewise_client.parts import open_parts  # noqa: PLC0415 - http.client: 20 ms, not for mere importers

        with self._lock:
            if self._parts is None:
                self._parts = open_parts(self._about, self._settings, self._notices, self._interval_s)
            return self._parts

    def _finish(self, state: str, timeout_s: float) -> None:
        if state not in ("finished", "failed"):
            raise ValueError(f"a run ends as finished or failed, not as {state!r}")
        parts, self._parts, self._finished = self._parts, None, True
        _live.discard(self)
        if parts is None:
            return
        began = time.monotonic()
        if self._owner:
            parts.spool.finish(state)
        if not parts.sender.wait(timeout_s, ending=True):
            parts.say_what_waits(self._notices, time.monotonic() - began)

    def _failed(self, call: str, error: Exception) -> None:
        kind = "step" if isinstance(error, Unusable) else call
        self._notices.once(kind, f"a call of {call}() was left out: {error}")

    def _shared(self) -> About | None:
        """What a child process opens: the same attempt, even when that is not decided yet."""
        parts = self._parts
        if self._about is None or parts is None:
            return self._about
        return self._about._replace(
            joins=self._about.joins or parts.session.token, attempt=parts.session.attempt() or self._about.attempt
        )

    def _forked(self) -> None:
        """In the child: the parent's session and thread are the parent's. The child's own begin with its first call."""
        self._about, parts = self._shared(), self._parts
        self._parts, self._owner, self._lock = None, False, threading.Lock()
        if parts is not None:
            parts.spool.abandon()


def _sent_over(about: About | None, settings: Settings | None, interval_s: float, exit_timeout_s: float) -> Run:
    if settings is not None:
        settings = settings._replace(token=os.environ.get("CURVEWISE_TOKEN") or None)
    run = Run(None, settings, Notices(), interval_s, exit_timeout_s)
    run._about, run._owner = about, False
    if about is not None:
        _live.add(run)
    return run


_live: weakref.WeakSet[Run] = weakref.WeakSet()


def _after_fork() -> None:
    locks.forget_all()
    for run in list(_live):
        run._forked()


def _at_exit() -> None:
    """Close what the script left open, all of it within the one bound."""
    failed = getattr(sys, "last_value", None) is not None and not hasattr(sys, "ps1")
    began = time.monotonic()
    for run in list(_live):
        left_s = max(0.0, run._exit_timeout_s - (time.monotonic() - began))
        run.finish("failed" if failed else "finished", left_s)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
