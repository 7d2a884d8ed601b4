"""Acts on what is found in a run, within what the job allows; off unless the job asks for it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from curvewise_client import landing as landings
from curvewise_client.advice import Advice, Diagnosis, advice_in
from curvewise_client.controls import DIVERGED, Act, Controls, Restore
from curvewise_client.orders import OF_RATE, order
from curvewise_client.rates import Rate
from curvewise_client.values import number, step_number

if TYPE_CHECKING:
    from curvewise_client.run import Run

BOUNCES = "CW002"  # the rate is too high to settle; not judged before half of the plan
_WAIT_AT_THE_END_S = 10.0


class Autopilot(Controls):
    """Made by `Run.autopilot`. One thread of the process that made it calls it; nothing here raises.

    scheduler: of PyTorch, which would put the rate back. min_confidence: of a finding that it acts on [0 to 1]; one
    that only informs is left alone, but for the advice to go on. hold: in so many diagnoses, one after the other, a
    finding has to stand; errors need not. settle: after a change of the rate, no advice to stop is taken for so many
    steps, unless it diverged; by default a tenth of the plan. planned_steps: where training ends, as the run said;
    most_steps: where it ends at the latest when it is continued, by default twice as far. restore: called with a step,
    brings the weights of the latest checkpoint from at or before it back, and the optimiser's state, not this one's;
    without it a run that diverged is stopped, not mended. landing: share of the plan at whose end the rate is brought
    to zero, where `decay_lr` is allowed; None never to do so.

    Lands: where the rate is still as it was left here, no scheduler is known, and diagnoses come in, the last part of
    the plan is flown along a straight line to zero; half of that part where train and val loss still fall.
    Advice to bring the rate down in a straight line over the rest of the plan is followed at each call of `step`;
    where there is a scheduler, the rate is cut at once. Where it may change the rate and was told of no scheduler, the
    run's schedule is said to be constant unless another was said: the rate is the autopilot's.
    Advice to stop, with a checkpoint to go back to and `decay_lr` allowed, is first answered by a second try: from the
    best checkpoint, at a third of the rate, to zero at the planned end; it is taken where the finding comes back.
    Without, it is not taken while a rate that is too high, which makes val climb as well, may still be found: until
    half of the plan and `settle`.
    Each finding is acted on once, but for that second try, undone or not. Several processes that train one model need
    one answer: there it does nothing, with a warning; nor does it in a forked child.

    should_stop: whether it was advised to stop, and that is allowed. best_step: which checkpoint to keep then, the best
    evaluation of the finding; None where none says, and where the run diverged: then that of the lowest val loss.
    planned_steps: where the training ends now; None where that is not known. acts: what it did.
    """

    def __init__(
        self,
        run: Run,
        rate: Rate | None,
        allow: Collection[str],
        *,
        min_confidence: float = 0.8,
        hold: int = 2,
        settle: float | None = None,
        planned_steps: float | None = None,
        most_steps: float | None = None,
        restore: Restore | None = None,
        landing: float | None = landings.SHARE,
    ) -> None:
        super().__init__(run, rate, planned_steps, most_steps, restore)
        self._allow = frozenset(allow)
        self._min_confidence = number(min_confidence)
        self._hold = number(hold)
        self._settle = number(settle) if settle is not None else (self.planned_steps or 0.0) / 10
        self._landing = landings.landing_share(landing)
        self._still_falls = False
        self._seen: Diagnosis | None = None

    def step(self, step: float, timeout_s: float = 0.0) -> Act | None:
        """Look whether there is something to do after this step, and do it -> what was done, None nearly always.

        Costs a microsecond where there is no new diagnosis. timeout_s: wait at most so long for a diagnosis of what was
        logged so far; by default nobody is waited for, and there is a new one about every ten seconds.
        """
        try:
            if self._process != os.getpid():
                return None  # a copy of the optimiser is nobody's
            self._steer(step_number(step))
            return self._look(step_number(step), *self._run._latest(timeout_s)) or self._lands(step_number(step))
        except Exception as error:
            self._run._failed("autopilot", error)
            return None

    def follow(self, step: float) -> None:
        """Between two calls of `step`: bring a rate that is on its way down to where it is to be, and do no more."""
        try:
            if self._process == os.getpid():
                self._steer(step_number(step))
        except Exception as error:
            self._run._failed("autopilot", error)

    def goes_on(self, step: float) -> bool:
        """Whether to train on after `step` steps; at the planned end a diagnosis says, where `continue` is allowed."""
        if self.should_stop:
            return False
        if self.planned_steps is None or step < self.planned_steps:
            return True
        if "continue" in self._allow and step < self._most_steps and not self._prolonged():
            self.step(step, timeout_s=_WAIT_AT_THE_END_S)
        return not self.should_stop and step < self.planned_steps

    def steps(self, done: int = 0) -> Iterator[int]:
        """0, 1, 2 … to the planned end, which may move, or until it is time to stop. done: steps made before.

        Where no planned_steps was said, only the advice to stop ends it, with a warning.
        """
        if self.planned_steps is None:
            self._run._notices.once("endless", "planned_steps is not known: Autopilot.steps() ends with advice to stop")
        while self.goes_on(done):
            yield done
            done += 1
            self.step(done)

    def _look(self, step: float, diagnosis: Diagnosis | None, of_everything: bool) -> Act | None:
        over = self.planned_steps is not None and step >= self.planned_steps
        ends = over and of_everything  # the last question: nothing waits to be seen again
        fresh = diagnosis is not self._seen
        if diagnosis is None or not (fresh or ends):
            return None
        self._seen = diagnosis
        if not number(diagnosis.get("through_step")) > self._acted_at:
            return None  # it is of before the last action, or of no step at all
        said = advice_in(diagnosis)
        self._still_falls = any(one.code == landings.STILL_FALLING and self._sure(one) for one in said)
        wanted = [one for one in said if self._would(one, step, over=over, ends=ends)]
        if fresh:
            self._sightings = {
                (one.code, one.action): self._sightings.get((one.code, one.action), 0) + 1 for one in wanted
            }
        for one in wanted:
            held = self._sightings.get((one.code, one.action), 0) >= self._hold
            if (ends or held or one.severity == "error") and (act := self._act(step, one, diagnosis)):
                return act
        return None

    def _sure(self, advice: Advice) -> bool:
        return self._min_confidence <= advice.confidence <= 1

    def _would(self, advice: Advice, step: float, *, over: bool, ends: bool) -> bool:
        """Whether the job allows it, it is sure enough, and it can be done here."""
        if advice.action not in self._allow or advice.code in self._settled or not self._sure(advice):
            return False
        if order(advice, step) is None:
            return False
        if advice.action == "continue":
            return ends and step < self._most_steps
        if advice.severity == "info":
            return False
        if advice.action in OF_RATE:  # at the end there is nothing left to train with another rate
            return not over and self._steering is not None and (advice.code != DIVERGED or self._restore is not None)
        return not self.should_stop and (advice.code == DIVERGED or not self._settling(step))

    def _settling(self, step: float) -> bool:
        """Whether the rate was changed so lately that the curves hardly show it, or is still to be judged."""
        changed = [act.step for act in self.acts if act.advice.action in OF_RATE and act.advice.code]
        judged = BOUNCES in self._settled or self._tried_again is not None or self._may_try_again(step)
        if "decay_lr" in self._allow and self._steering is not None and not judged:
            changed.append((self.planned_steps or 0.0) / 2)
        return bool(changed) and step < max(changed) + self._settle

    def _may_try_again(self, step: float) -> bool:
        """Whether advice to stop is first answered by a second try."""
        able = self._steering is not None and self._restore is not None and "decay_lr" in self._allow
        return able and self._tried_again is None and (self.planned_steps is None or step < self.planned_steps)

    def _prolonged(self) -> bool:
        return any(act.advice.action == "continue" for act in self.acts)

    def _act(self, step: float, advice: Advice, diagnosis: Diagnosis) -> Act | None:
        found = order(advice, step)
        assert found is not None  # noqa: S101 - `_would` asked
        if advice.action in OF_RATE:
            return self._change_rate(step, advice, found, diagnosis)
        if advice.action == "continue":
            return self._go_on(step, advice, found)
        if advice.code != DIVERGED and self._may_try_again(step):
            return self._try_again(step, advice, found)
        return self._stop(step, advice, found)

    def _lands(self, step: float) -> Act | None:
        """At the end of the plan, where it is allowed, no finding has brought the rate down, and diagnoses come in."""
        if self._landed or self.planned_steps is None or "decay_lr" not in self._allow or self._seen is None:
            return None
        falls = self._still_falls
        is_time = landings.is_time(step, self.planned_steps, self._landing, still_falling=falls)
        return self._land(step, self.planned_steps - step) if is_time else None
