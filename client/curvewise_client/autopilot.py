"""Acts on what is found in a run, within what the job allows; off unless the job asks for it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from curvewise_client.advice import Advice, Diagnosis, advice_in
from curvewise_client.courses import Course, course_of
from curvewise_client.orders import OF_RATE, order
from curvewise_client.rates import Rate
from curvewise_client.values import Unusable, number, step_number

if TYPE_CHECKING:
    from curvewise_client.run import Run

DIVERGED = "CW008"  # the weights are of no use any more, whatever the rate is from here on
BOUNCES = "CW002"  # the rate is too high to settle; not judged before half of the plan
_WAIT_AT_THE_END_S = 10.0
_SAME = 1e-6  # two rates, relative: Keras keeps them in single precision

Restore = Callable[[float], Any]


class Act(NamedTuple):
    """What the autopilot did. name: of the action on the server. before: the rate, or the planned steps."""

    name: str
    step: float
    advice: Advice
    text: str
    before: float | None


class Autopilot:
    """Made by `Run.autopilot`. One thread of the process that made it calls it; nothing here raises.

    scheduler: of PyTorch, which would put the rate back. min_confidence: of a finding that it acts on [0 to 1]; one
    that only informs is left alone, but for the advice to go on. hold: in so many diagnoses, one after the other, a
    finding has to stand; errors need not. settle: after a change of the rate, no advice to stop is taken for so many
    steps, unless it diverged; by default a tenth of the plan. Nor is any taken while a rate that is too high, which
    makes val climb as well, may still be found: until half of the plan and `settle`. planned_steps: where training
    ends, as the run said; most_steps: where it ends at the latest when it is continued, by default twice as far.
    restore: called with a step, brings the latest checkpoint from at or before it back; without it a run that diverged
    is stopped, not mended.

    Advice to bring the rate down in a straight line over the rest of the plan is followed at each call of `step`;
    where there is a scheduler, the rate is cut at once. Where it may change the rate and was told of no scheduler, the
    run's schedule is said to be constant unless another was said: the rate is the autopilot's. Each finding is acted on
    once, undone or not. Several processes that train one model need one answer: there it does nothing, with a warning;
    nor does it in a forked child.

    should_stop: whether it was advised to stop, and that is allowed. best_step: which checkpoint to keep then, None
    where no finding says. planned_steps: where the training ends now; None where that is not known. acts: what it did.
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
    ) -> None:
        self.should_stop = False
        self.best_step: float | None = None
        self.planned_steps = positive("planned_steps", planned_steps)
        self.acts: list[Act] = []
        self._run = run
        self._rate = rate
        self._allow = frozenset(allow)
        self._min_confidence = number(min_confidence)
        self._hold = number(hold)
        self._said_steps = self.planned_steps
        self._settle = number(settle) if settle is not None else (self.planned_steps or 0.0) / 10
        most = positive("most_steps", most_steps)
        self._most_steps = most if most is not None else 2 * (self.planned_steps or 0.0)
        self._restore = restore
        self._process = os.getpid()
        self._settled: set[str] = set()  # codes that were acted on: each once
        self._seen: Diagnosis | None = None
        self._sightings: dict[tuple[str, str], int] = {}
        self._acted_at = -1.0
        self._course: Course | None = None
        self._left: float | None = None  # the rate as it was left here

    def step(self, step: float, timeout_s: float = 0.0) -> Act | None:
        """Look whether there is something to do after this step, and do it -> what was done, None nearly always.

        Costs a microsecond where there is no new diagnosis. timeout_s: wait at most so long for a diagnosis of what was
        logged so far; by default nobody is waited for, and there is a new one about every ten seconds.
        """
        try:
            if self._process != os.getpid():
                return None  # a copy of the optimiser is nobody's
            self._follow(step_number(step))
            return self._look(step_number(step), *self._run._latest(timeout_s))
        except Exception as error:
            self._run._failed("autopilot", error)
            return None

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

    def undo(self, step: float) -> Act | None:
        """Take back what it did last, at this step -> what that was. It does not do it again.

        A rate that somebody else has changed since is left alone, with a warning; None then. Weights that were restored
        stay as they are.
        """
        try:
            return self._undo(step_number(step)) if self.acts and self._process == os.getpid() else None
        except Exception as error:
            self._run._failed("autopilot", error)
            return None

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, so that a resumed job does nothing twice; the rate is in the optimiser's own."""
        return {
            "settled": sorted(self._settled),
            "acts": [{**act._asdict(), "advice": act.advice._asdict()} for act in self.acts],
            "said_steps": self._said_steps,
            "planned_steps": self.planned_steps,
            "should_stop": self.should_stop,
            "best_step": self.best_step,
            "course": None if self._course is None else list(self._course),
            "left": self._left,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint. A plan that the job has changed since is the job's."""
        try:
            acts = [Act(**{**act, "advice": Advice(**act["advice"])}) for act in state["acts"]]
            settled, stops, best = set(state["settled"]), bool(state["should_stop"]), state["best_step"]
            course, left = Course(*state["course"]) if state["course"] else None, state["left"]
            if state["said_steps"] == self._said_steps:
                self.planned_steps = positive("planned_steps", state["planned_steps"])
            self.acts, self._settled, self.should_stop, self.best_step = acts, settled, stops, best
            self._course, self._left = course, left
            self._acted_at = max((act.step for act in acts), default=-1.0)
        except Exception as error:
            self._run._failed("autopilot", error)

    def _look(self, step: float, diagnosis: Diagnosis | None, of_everything: bool) -> Act | None:
        over = self.planned_steps is not None and step >= self.planned_steps
        ends = over and of_everything  # the last question: nothing waits to be seen again
        fresh = diagnosis is not self._seen
        if diagnosis is None or not (fresh or ends):
            return None
        self._seen = diagnosis
        if not number(diagnosis.get("through_step")) > self._acted_at:
            return None  # it is of before the last action, or of no step at all
        wanted = [one for one in advice_in(diagnosis) if self._would(one, step, over=over, ends=ends)]
        if fresh:
            self._sightings = {
                (one.code, one.action): self._sightings.get((one.code, one.action), 0) + 1 for one in wanted
            }
        for one in wanted:
            held = self._sightings.get((one.code, one.action), 0) >= self._hold
            if (ends or held or one.severity == "error") and (act := self._act(step, one, diagnosis)):
                return act
        return None

    def _would(self, advice: Advice, step: float, *, over: bool, ends: bool) -> bool:
        """Whether the job allows it, it is sure enough, and it can be done here."""
        sure = self._min_confidence <= advice.confidence <= 1
        if advice.action not in self._allow or advice.code in self._settled or not sure or order(advice, step) is None:
            return False
        if advice.action == "continue":
            return ends and step < self._most_steps
        if advice.severity == "info":
            return False
        if advice.action in OF_RATE:  # at the end there is nothing left to train with another rate
            return not over and self._rate is not None and (advice.code != DIVERGED or self._restore is not None)
        return not self.should_stop and (advice.code == DIVERGED or not self._settling(step))

    def _settling(self, step: float) -> bool:
        """Whether the rate was changed so lately that the curves hardly show it, or is still to be judged."""
        changed = [act.step for act in self.acts if act.advice.action in OF_RATE]
        if "decay_lr" in self._allow and self._rate is not None and BOUNCES not in self._settled:
            changed.append((self.planned_steps or 0.0) / 2)
        return bool(changed) and step < changed[-1] + self._settle

    def _prolonged(self) -> bool:
        return any(act.advice.action == "continue" for act in self.acts)

    def _act(self, step: float, advice: Advice, diagnosis: Diagnosis) -> Act | None:
        number_, before = order(advice, step), None
        assert number_ is not None  # noqa: S101 - `_would` asked
        if advice.action in OF_RATE:
            back = ""
            if advice.code == DIVERGED:
                back_to = _best_step(advice.code, diagnosis, step)
                if not self._go_back(back_to):
                    return None
                back = f" and went back to the checkpoint of step {back_to:.10g}"
            self._settled.add(advice.code)  # first: what fails half-way is not tried again
            before, text = self._change_rate(step, advice, number_)
            text = f"{text}{back}."
        elif advice.action == "continue":
            before = self.planned_steps
            self.planned_steps = after = min(step + number_, self._most_steps)
            text = f"Goes on to step {after:.10g}, {after - step:.10g} further than planned."
        else:
            self.should_stop, self.best_step = True, number_
            text = f"Stopped; the checkpoint to keep is of step {number_:.10g}."
            self._go_back(number_)
        self._settled.add(advice.code)
        act = Act(f"autopilot-{advice.code}-{advice.action}-{step:.16g}", step, advice, text, before)
        self.acts.append(act)
        self._sightings, self._acted_at = {}, step
        self._tell(act)
        return act

    def _change_rate(self, step: float, advice: Advice, factor: float) -> tuple[float, str]:
        """Cut it, or begin to bring it down -> what it was, and what was done."""
        assert self._rate is not None  # noqa: S101 - `_would` asked
        before = self._rate.now()
        self._course = None if self._rate.scheduled else course_of(advice, step, before)
        if self._course is not None:
            self._left = before
            return before, f"Brings the learning rate from {before:.4g} to zero over {self._course.length:.10g} steps"
        self._rate.scale(factor)
        self._left = self._rate.now()
        return before, f"Changed the learning rate from {before:.4g} to {self._left:.4g}"

    def _follow(self, step: float) -> None:
        """Where the rate is on its way, bring it to where it is to be now; let go where somebody else changed it."""
        if self._course is None or self._rate is None or step < self._course.step:
            return
        try:
            self._check_rate()
        except Unusable:
            self._course = None
            raise
        self._rate.scale(self._course.rate(step) / self._rate.now())
        self._left = self._rate.now()

    def _check_rate(self) -> None:
        """Raises Unusable where the rate is not as it was left."""
        assert self._rate is not None  # noqa: S101 - who calls this has one
        if not self._rate.scheduled and not math.isclose(self._rate.now(), self._left or 0.0, rel_tol=_SAME):
            raise Unusable(f"the rate is no longer the {self._left:.4g} that the autopilot left, and stays as it is")

    def _go_back(self, step: float) -> bool:
        """Whether the weights are of that step now. What failed once is not relied on again."""
        if self._restore is None:
            return False
        try:
            self._restore(step)
        except Exception as error:
            self._restore = None
            self._run._failed("restore", error)
            return False
        return True

    def _undo(self, step: float) -> Act | None:
        act = self.acts[-1]
        if act.advice.action in OF_RATE and self._rate is not None and act.before is not None:
            self._check_rate()
            scheduled = self._rate.scheduled  # what it would be now without the act, not what it was then
            self._rate.scale(1 / float(act.advice.args["factor"]) if scheduled else act.before / self._rate.now())
            self._course, self._left = None, self._rate.now()
        elif act.advice.action == "continue":
            self.planned_steps = act.before
        else:
            self.should_stop, self.best_step = False, None
        self.acts.pop()
        self._sightings, self._acted_at = {}, step
        self._tell(act, undone_at_step=max(step, act.step))
        return act

    def _tell(self, act: Act, undone_at_step: float | None = None) -> None:
        advice = act.advice
        self._run.log_action(
            act.step,
            advice.action,
            act.text,
            args=advice.args,
            code=advice.code,
            confidence=advice.confidence,
            by="autopilot",
            name=act.name,
            undone_at_step=undone_at_step,
        )


def positive(name: str, value: Any) -> float | None:
    """The value as a number of steps, None of None; infinity is one. Raises Unusable."""
    if value is None:
        return None
    if not (found := number(value)) > 0:
        raise Unusable(f"{name} is a number above 0, not {found:g}")
    return found


def _best_step(code: str, diagnosis: Diagnosis, step: float) -> float:
    """The checkpoint that the same finding says to go back to; the beginning, where it names none."""
    said = [one for one in advice_in(diagnosis) if one.code == code and one.action == "stop"]
    steps = [found for one in said if (found := order(one, step)) is not None]
    return steps[0] if steps else 0.0
