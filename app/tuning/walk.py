"""The walk through a search: ask what comes next, run it, stop what is hopeless, until the service says stop."""

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from app.errors import CurvewiseError, InvalidInput
from app.search.answers import Next, Proposal
from app.search.forecast import can_reach
from app.search.search import Goal
from app.tuning.child import Child
from app.tuning.command import Command, Identity, environment
from app.tuning.folder import Folder
from app.tuning.plan import Plan, Report
from app.tuning.searches import Away, Searches
from app.tuning.trial import STATES, Ended, How, Running, Walked, judged, same

_TICK_S = 0.05
_LOOK_S = 0.5  # between two looks at a trial; a look costs the service two short requests
_AHEAD = 8  # proposals that are asked for: the first are run, and the rest may look otherwise by then
_WORTH = 0.05  # of a trial that is left: less is not worth the doubt that stopping leaves
_TRIES = 3  # of one trial that does not end well
_BARREN = 3  # trials in a row that log nothing: the command is wrong, and not the configuration
_COMPARED_STEPS = (4, 5)  # of the procedure: there runs compete; before, each is there to show one thing


class Walk:
    """One walk. For one thread; `stop` may be set from a signal handler."""

    def __init__(
        self,
        searches: Searches,
        command: Command,
        identity: Identity,
        folder: Folder,
        plan: Plan,
        report: Report,
        stop: threading.Event,
        deliver: Callable[[Path], None],
    ) -> None:
        """deliver: sends what a trial that died left in its spool."""
        self._searches, self._command, self._identity = searches, command, identity
        self._folder, self._plan, self._report, self._stop = folder, plan, report, stop
        self._deliver = deliver
        self._running: list[Running] = []
        self._again: list[Proposal] = []
        self._tries: Counter[str] = Counter()
        self._walked = Walked()
        self._shown_step = 0
        self._metric: str = "val/loss"
        self._goal: Goal = "min"
        self._best: float | None = None
        self._seed = 0
        self._asking = True

    def run(self) -> Walked:
        """Walk to the end, until there is nothing left to do here, or until `stop` is set.

        However it ends, no trial is left running. Raises Away, InvalidInput and CurvewiseError for what is refused.
        """
        try:
            self._resume()
            while not self._stop.is_set():
                self._poll()
                self._fill()
                if not self._running and not self._again and not self._asking:
                    break
                self._report.looked(self._running)
                self._stop.wait(_TICK_S)
            else:
                self._walked.why = "interrupted; the same command goes on from here"
        finally:
            self._end_all()
        return self._walked

    def _resume(self) -> None:
        """Look at how the search stands, and at what an interrupted walk left unfinished."""
        self._refresh()
        for proposal in self._folder.unfinished():
            if self._searches.run(proposal.run) is None:
                self._folder.end(proposal.run)  # of a search that was deleted, or of another database
            else:
                self._again.append(proposal)
        if self._again:
            self._report.note(f"running again what was interrupted: {', '.join(one.run for one in self._again)}")

    def _refresh(self) -> None:
        standing = self._searches.standing(ranked=1)
        self._metric, self._goal = standing.metric, standing.goal
        self._best = standing.ranking[0].level if standing.ranking else None
        self._seed = standing.about["seed"]

    def _fill(self) -> None:
        room = self._plan.jobs - len(self._running)
        while room and self._again:
            self._start(self._again.pop(0))
            room -= 1
        if not room or not self._asking or self._stop.is_set():
            return
        coming = self._searches.next(max(room, _AHEAD))
        if (over := self._over(coming)) is not None:
            self._asking = bool(self._running) and not coming.stop  # what still runs may change the answer
            self._walked.why, self._walked.complete = over
            self._wait_for_one()
            return
        if coming.search_step != self._shown_step:
            self._shown_step = coming.search_step
            self._report.coming(coming)
        for proposal in self._fresh(coming)[:room]:
            self._start(proposal)

    def _over(self, coming: Next) -> tuple[str, bool] | None:
        """Why nothing more is begun now, and whether that is how the search was meant to end."""
        if coming.stop:
            return coming.why, True
        if coming.search_step > self._plan.until_step:
            return f"step {self._plan.until_step} is done; next would be step {coming.search_step}: {coming.why}", True
        if not coming.proposals:
            return f"step {coming.search_step}, {coming.name}: {coming.why}", False
        if not self._fresh(coming):
            again = coming.proposals[0].run
            return (
                f"step {coming.search_step} goes in circles: {again} would be a trial that was run. {coming.why}",
                False,
            )
        return None

    def _fresh(self, coming: Next) -> list[Proposal]:
        """Those that would not repeat what went well once, or did not go well several times."""
        return [one for one in coming.proposals if self._tries[same(one)] < _TRIES]

    def _wait_for_one(self) -> None:
        """Ask again when a trial has ended, not before: until then the answer is the same."""
        count = len(self._running)
        while self._running and len(self._running) == count and not self._stop.is_set():
            self._report.looked(self._running)
            self._stop.wait(_TICK_S)
            self._poll()

    def _start(self, proposal: Proposal) -> None:
        words = self._command.fill(proposal, self._identity)
        self._searches.open(proposal, {})
        self._folder.begin(proposal)
        spool = {"CURVEWISE_SPOOL": str(self._folder.spool(proposal.run))}
        environ = os.environ | spool | environment(proposal, self._identity)
        try:
            child = Child(words, environ, self._folder.log(proposal.run))
        except OSError as error:
            self._searches.finish(proposal.run, "failed", proposal.config, {})
            self._folder.end(proposal.run)
            raise InvalidInput(f"{words[0]!r} could not be started: {error.strerror or error}") from error
        trial = Running(proposal, child, planned_steps=proposal.planned_steps)
        self._running.append(trial)
        self._report.started(trial)

    def _poll(self) -> None:
        limit_s = self._plan.trial_timeout_s
        for trial in list(self._running):
            code = trial.child.poll()
            if code is not None:
                self._running.remove(trial)
                self._ended(trial, code)
            elif trial.ending is None and limit_s is not None and trial.child.seconds > limit_s:
                self._tell_to_stop(trial, "timed out", f"it ran longer than {limit_s:g} s")
            elif time.monotonic() - trial.looked_at > _LOOK_S:
                self._look(trial)

    def _look(self, trial: Running, *, judge: bool = True) -> None:
        """See where a trial stands; a service that is away now is asked another time."""
        trial.looked_at = time.monotonic()
        try:
            seen = self._searches.seen(trial.proposal.run, self._metric, wait=False)
        except Away:
            return
        if seen is None:
            return
        trial.logged = True
        trial.planned_steps = trial.proposal.planned_steps or seen.context.planned_steps
        trial.step = (
            max(float(curve.steps[-1]) for curve in seen.curves.values() if len(curve)) if seen.curves else None
        )
        if (curve := seen.curves.get(self._metric)) is not None and len(curve):
            trial.level = float(curve.values[-1])
        if not judge or self._best is None or trial.proposal.search_step not in _COMPARED_STEPS:
            return
        trial.forecast = can_reach(seen, self._best, self._goal, trial.planned_steps, self._metric)
        if trial.forecast.hopeless and self._may_stop(trial):
            self._tell_to_stop(trial, "stopped early", trial.forecast.says)

    def _may_stop(self, trial: Running) -> bool:
        """Not one that is about to end, and not the repetition of a configuration: that is there to measure noise."""
        repeated = trial.proposal.settings.get("seed", self._seed) != self._seed
        left = (trial.planned_steps or 0.0) - (trial.step or 0.0)
        worth = left >= _WORTH * (trial.planned_steps or 0.0)
        return self._plan.early_stopping and trial.ending is None and worth and not repeated

    def _tell_to_stop(self, trial: Running, how: How, why: str) -> None:
        trial.ending = (how, why)
        trial.child.stop(self._plan.grace_s)

    def _ended(self, trial: Running, code: int) -> None:
        seconds = trial.child.seconds
        if self._folder.unsent(trial.proposal.run):
            self._searches.run(trial.proposal.run)  # returns once the service answers: now it can be delivered
            self._deliver(self._folder.spool(trial.proposal.run))
        self._look(trial, judge=False)
        logged = trial.logged or bool((self._searches.run(trial.proposal.run) or {}).get("curves"))
        how, why = trial.ending or judged(code, logged)
        if how == "stopped early" and trial.step is not None and trial.step >= (trial.planned_steps or math.inf):
            how, why = "finished", "it came to its end before it could be stopped"
        ended = Ended(trial.proposal, how, why, seconds, trial.step, trial.level, trial.planned_steps)
        self._searches.finish(trial.proposal.run, STATES[how], trial.proposal.config, ended.tags)
        if how != "interrupted":
            self._folder.end(trial.proposal.run)
        self._walked.ended.append(ended)
        self._tries[same(trial.proposal)] += _TRIES if how in ("finished", "stopped early") else 1
        self._report.ended(ended, trial.child.tail())
        if not self._stop.is_set():
            self._check_barren()
            self._refresh()

    def _check_barren(self) -> None:
        last = self._walked.ended[-_BARREN:]
        if len(last) == _BARREN and all(one.step is None and one.how != "interrupted" for one in last):
            raise CurvewiseError(
                f"{_BARREN} trials in a row logged nothing to {self._identity.project}: the command is to log with "
                f"curvewise_client.start(), which knows the run from its environment; what they printed is in "
                f"{self._folder.path}"
            )

    def _end_all(self) -> None:
        """End what still runs, all at once, and say of each that it was interrupted."""
        for trial in self._running:
            if trial.ending is None:
                self._tell_to_stop(trial, "interrupted", "the walk over the search was interrupted")
        lost: CurvewiseError | None = None
        while self._running:
            for trial in list(self._running):
                if (code := trial.child.poll()) is not None:
                    self._running.remove(trial)
                    try:
                        self._ended(trial, code)
                    except CurvewiseError as error:  # the trial is over all the same, and is run again by the next walk
                        lost = error
            time.sleep(_TICK_S)
        if lost is not None:
            self._report.note(f"how interrupted trials ended could not be told to the server: {lost}")

    def hurry(self) -> None:
        """Kill what still runs."""
        for trial in self._running:
            trial.child.stop(0.0)
