"""What an autopilot can do to a job: each deed told to the server, kept for a checkpoint, and undone on demand."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from curvewise_client import landing as landings
from curvewise_client.advice import Advice, Diagnosis
from curvewise_client.courses import length_of
from curvewise_client.orders import OF_RATE, best_step_in, earliest_in
from curvewise_client.rates import Rate
from curvewise_client.steering import Steering
from curvewise_client.values import Unusable, number, step_number

if TYPE_CHECKING:
    from curvewise_client.run import Run

DIVERGED = "CW008"  # the weights are of no use any more, whatever the rate is from here on
LEARNS_NOTHING = "CW009"  # nor is there anything to lose by going back to the beginning
SECOND_TRY = 0.3  # of the rate, from the best checkpoint on, before advice to stop is taken

Restore = Callable[[float], Any]


class Act(NamedTuple):
    """What the autopilot did. name: of the action on the server. before: the rate, or the planned steps.

    advice: the finding's; of a landing, which no finding asks for, its `code` is empty.
    """

    name: str
    step: float
    advice: Advice
    text: str
    before: float | None


class Controls:
    """Deeds, without the judgement on when: see `Autopilot` for the arguments and attributes. None is done twice."""

    def __init__(
        self, run: Run, rate: Rate | None, planned_steps: Any, most_steps: Any, restore: Restore | None
    ) -> None:
        self.should_stop = False
        self.best_step: float | None = None
        self.planned_steps = positive("planned_steps", planned_steps)
        self.acts: list[Act] = []
        self._run = run
        self._steering = None if rate is None else Steering(rate)
        self._said_steps = self.planned_steps
        most = positive("most_steps", most_steps)
        self._most_steps = most if most is not None else 2 * (self.planned_steps or 0.0)
        self._restore = restore
        self._process = os.getpid()
        self._settled: set[str] = set()  # codes that were acted on: each once
        self._tried_again: float | None = None  # from which step on
        self._landed = False
        self._acted_at = -1.0
        self._sightings: dict[tuple[str, str], int] = {}  # of advice, since then

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

    def replan(self, planned_steps: float) -> None:
        """The training ends there, and no longer where it was said: a rate that was on its way to zero climbs back."""
        try:
            after = positive("planned_steps", planned_steps)
            if after != self.planned_steps and self._steering is not None and self._steering.climb():
                self._landed = False
            self.planned_steps = self._said_steps = after
        except Exception as error:
            self._run._failed("autopilot", error)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, so that a resumed job does nothing twice; the rate is in the optimiser's own."""
        steering = {"course": None, "left": None} if self._steering is None else self._steering.state_dict()
        return {
            "settled": sorted(self._settled),
            "acts": [{**act._asdict(), "advice": act.advice._asdict()} for act in self.acts],
            "said_steps": self._said_steps,
            "planned_steps": self.planned_steps,
            "should_stop": self.should_stop,
            "best_step": self.best_step,
            "tried_again": self._tried_again,
            "landed": self._landed,
            **steering,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint. A plan that the job has changed since is the job's."""
        try:
            acts = [Act(**{**act, "advice": Advice(**act["advice"])}) for act in state["acts"]]
            settled, stops, best = set(state["settled"]), bool(state["should_stop"]), state["best_step"]
            tried_again, landed = state.get("tried_again"), bool(state.get("landed"))  # earlier ones kept neither
            if state["said_steps"] == self._said_steps:
                self.planned_steps = positive("planned_steps", state["planned_steps"])
            if self._steering is not None:
                self._steering.load_state_dict(state["course"], state["left"])
            self.acts, self._settled, self.should_stop, self.best_step = acts, settled, stops, best
            self._tried_again, self._landed = tried_again, landed
            self._acted_at = max((act.step for act in acts), default=-1.0)
        except Exception as error:
            self._run._failed("autopilot", error)

    def _change_rate(self, step: float, advice: Advice, factor: float, diagnosis: Diagnosis) -> Act | None:
        """Cut it, or begin to bring it down, from an earlier checkpoint where the weights are of no use."""
        assert self._steering is not None  # noqa: S101 - `_would` asked
        back = ""
        if advice.code == DIVERGED or (advice.code == LEARNS_NOTHING and advice.action == "lower_lr"):
            back_to = best_step_in(diagnosis, advice.code, step)
            if self._go_back(back_to):
                back = f" and went back to the checkpoint of step {back_to:.10g}"
            elif advice.code == DIVERGED:
                return None
        self._settled.add(advice.code)  # first: what fails half-way is not tried again
        length = None if self._steering.scheduled else length_of(advice, step)
        if length is None:
            before, after = self._steering.cut(factor)
            return self._done(
                step, advice, f"Changed the learning rate from {before:.4g} to {after:.4g}{back}.", before
            )
        before = self._steering.bring_down(step, length)
        text = f"Brings the learning rate from {before:.4g} to zero over {length:.10g} steps{back}."
        return self._done(step, advice, text, before)

    def _try_again(self, step: float, advice: Advice, best_step: float) -> Act | None:
        """From a checkpoint as good as the best at a lower rate: less noise, and smaller steps overfit later."""
        assert self._steering is not None  # noqa: S101 - `_may_try_again` asked
        back_to = earliest_in(advice, best_step)
        if not self._go_back(back_to):
            return None
        self._tried_again = step
        before, after = self._steering.cut(SECOND_TRY)
        args: dict[str, Any] = {"at_step": step, "factor": SECOND_TRY, "best_step": back_to}
        text = f"Went back to the checkpoint of step {back_to:.10g} and changed the learning rate from {before:.4g} "
        text += f"to {after:.4g}"
        if self.planned_steps is not None and not self._steering.scheduled:
            length = self.planned_steps - step
            self._steering.bring_down(step, length)
            args |= {"kind": "linear", "lr": after, "steps": length}
            text += f", from there to zero over {length:.10g} steps"
        return self._done(step, advice._replace(action="decay_lr", args=args), f"{text}.", before)

    def _go_on(self, step: float, advice: Advice, steps: float) -> Act:
        before, after = self.planned_steps, min(step + steps, self._most_steps)
        self.planned_steps = after
        if self._steering is not None and self._steering.climb():  # nothing is learnt at a rate of zero
            self._landed = False
        self._settled.add(advice.code)
        text = f"Goes on to step {after:.10g}, {after - step:.10g} further than planned."
        return self._done(step, advice, text, before)

    def _stop(self, step: float, advice: Advice, best_step: float) -> Act:
        # What diverged may have been on its way for long before it was seen: there the lowest val loss has to say.
        self.should_stop = True
        self.best_step = None if advice.code == DIVERGED else best_step
        kept = "that of the lowest val loss" if self.best_step is None else f"of step {best_step:.10g}"
        self._go_back(best_step)
        self._settled.add(advice.code)
        return self._done(step, advice, f"Stopped; the checkpoint to keep is {kept}.", None)

    def _land(self, step: float, length: float) -> Act | None:
        """Begin to bring the rate to zero, where it stands as it was left here."""
        if self._steering is None or self._steering.course is not None:
            return None
        self._landed = True  # or never: what somebody else changes is theirs
        if not self._steering.ours:
            return None
        before = self._steering.bring_down(step, length)
        text = f"Lands: brings the learning rate from {before:.4g} to zero over the last {length:.10g} steps."
        return self._done(step, landings.as_advice(step, length, before), text, before)

    def _done(self, step: float, advice: Advice, text: str, before: float | None) -> Act:
        why = advice.code or "landing"
        act = Act(f"autopilot-{why}-{advice.action}-{step:.16g}", step, advice, text, before)
        self.acts.append(act)
        self._sightings, self._acted_at = {}, step
        self._tell(act)
        return act

    def _steer(self, step: float) -> None:
        if self._steering is not None:
            self._steering.follow(step)

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
        if act.advice.action in OF_RATE and self._steering is not None and act.before is not None:
            self._steering.give_back(act.before, float(act.advice.args["factor"]))
            self._settled.add(act.advice.code)  # the second try's as well: no advice to stop is taken after it
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
            code=advice.code or None,
            confidence=advice.confidence if advice.code else None,
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
