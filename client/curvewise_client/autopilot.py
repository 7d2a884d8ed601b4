"""Acts on what is found in a run, within what the job allows; off unless the job asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from curvewise_client.advice import Advice, Diagnosis, advice_in
from curvewise_client.ranks import processes
from curvewise_client.rates import Rate, rate_of
from curvewise_client.values import Unusable

if TYPE_CHECKING:
    from curvewise_client.run import Run

ALLOWABLE = frozenset({"decay_lr", "lower_lr", "raise_lr", "stop", "continue"})
DIVERGED = "CW008"  # the weights are of no use any more, whatever the rate is from here on
_OF_RATE = frozenset({"decay_lr", "lower_lr", "raise_lr"})
_WAIT_AT_THE_END_S = 10.0

Restore = Callable[[float], Any]


class Act(NamedTuple):
    """What the autopilot did. name: of the action on the server. before: the rate, or the planned steps, to undo it."""

    name: str
    step: float
    advice: Advice
    text: str
    before: float | None


class Autopilot:
    """Made by `Run.autopilot`. One thread of the job calls it; nothing here raises.

    scheduler: of PyTorch, which would put the rate back. min_confidence: of a finding that it acts on [0 to 1]. hold:
    in so many diagnoses, one after the other, a finding has to stand; errors need not. planned_steps: where training
    ends, as the run said; most_steps: where it ends at the latest when it is continued, by default twice as far.
    restore: called with a step, brings the latest checkpoint from at or before it back; without it a run that diverged
    is stopped, not mended.

    Where a rate is given and no scheduler, the run's schedule is said to be constant unless another was said: the rate
    is the autopilot's. Several processes that train one model need one answer: there it does nothing, with a warning.

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
        planned_steps: float | None = None,
        most_steps: float | None = None,
        restore: Restore | None = None,
    ) -> None:
        self.should_stop = False
        self.best_step: float | None = None
        self.planned_steps = planned_steps
        self.acts: list[Act] = []
        self._run = run
        self._rate = rate
        self._allow = frozenset(allow)
        self._min_confidence = min_confidence
        self._hold = hold
        self._most_steps = most_steps if most_steps is not None else 2 * planned_steps if planned_steps else None
        self._restore = restore
        self._settled: set[str] = set()  # codes that were acted on: each once
        self._seen: Diagnosis | None = None
        self._sightings: dict[tuple[str, str], int] = {}
        self._acted_at = -1.0

    def step(self, step: float, timeout_s: float = 0.0) -> Act | None:
        """Look whether there is something to do after this step, and do it -> what was done, None nearly always.

        Costs a microsecond where there is no new diagnosis. timeout_s: wait at most so long for a diagnosis of what was
        logged so far; by default nobody is waited for, and there is a new one about every ten seconds.
        """
        try:
            return self._look(step, self._run._latest(timeout_s))
        except Exception as error:
            self._run._failed("autopilot", error)
            return None

    def goes_on(self, step: float) -> bool:
        """Whether to train on after `step` steps; at the planned end a diagnosis says, where `continue` is allowed."""
        if self.should_stop:
            return False
        if self.planned_steps is None or step < self.planned_steps:
            return True
        if "continue" in self._allow and step < (self._most_steps or 0):
            self.step(step, timeout_s=_WAIT_AT_THE_END_S)
        return not self.should_stop and step < self.planned_steps

    def steps(self, done: int = 0) -> Iterator[int]:
        """0, 1, 2 … to the planned end, which may move, or until it is time to stop. done: steps made before."""
        while self.goes_on(done):
            yield done
            done += 1
            self.step(done)

    def undo(self, step: float) -> Act | None:
        """Take back what it did last, at this step -> what that was. It does not do it again."""
        try:
            return self._undo(step)
        except Exception as error:
            self._run._failed("autopilot", error)
            return None

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, so that a resumed job does nothing twice; the rate is in the optimiser's own."""
        return {"settled": sorted(self._settled), "planned_steps": self.planned_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self._settled = set(state["settled"])
        self.planned_steps = state["planned_steps"]

    def _look(self, step: float, diagnosis: Diagnosis | None) -> Act | None:
        at_the_end = self.planned_steps is not None and step >= self.planned_steps
        if diagnosis is None or (diagnosis is self._seen and not at_the_end):
            return None
        fresh, self._seen = diagnosis is not self._seen, diagnosis
        if (diagnosis.get("through_step") or 0.0) <= self._acted_at:
            return None  # it is of before the last action
        wanted = [one for one in advice_in(diagnosis) if self._would(one, at_the_end)]
        if fresh:
            self._sightings = {
                (one.code, one.action): self._sightings.get((one.code, one.action), 0) + 1 for one in wanted
            }
        for one in wanted:
            # An error does not wait; nor does the end of the plan, after which nobody asks again.
            if one.severity == "error" or at_the_end or self._sightings[one.code, one.action] >= self._hold:
                return self._act(step, one, diagnosis)
        return None

    def _would(self, advice: Advice, at_the_end: bool) -> bool:
        """Whether the job allows it, it is sure enough, and it can be done here."""
        if advice.action not in self._allow or advice.code in self._settled or advice.confidence < self._min_confidence:
            return False
        if advice.action == "continue":
            return at_the_end
        if advice.action in _OF_RATE:
            return self._rate is not None and (advice.code != DIVERGED or self._restore is not None)
        return not self.should_stop

    def _act(self, step: float, advice: Advice, diagnosis: Diagnosis) -> Act:
        before: float | None = None
        if advice.action in _OF_RATE:
            before, text = self._change_rate(advice, diagnosis)
        elif advice.action == "continue":
            before = self.planned_steps
            self.planned_steps = min(step + float(advice.args["steps"]), self._most_steps or math.inf)
            text = f"Goes on to step {self.planned_steps:g}, {self.planned_steps - step:g} further than planned."
        else:
            self.should_stop, self.best_step = True, float(advice.args["best_step"])
            text = f"Stopped; the checkpoint to keep is of step {self.best_step:g}."
            if self._restore is not None:
                self._restore(self.best_step)
        act = Act(f"autopilot-{advice.code}-{advice.action}-{step:g}", step, advice, text, before)
        self.acts.append(act)
        self._settled.add(advice.code)
        self._sightings, self._acted_at = {}, step
        self._tell(act)
        return act

    def _change_rate(self, advice: Advice, diagnosis: Diagnosis) -> tuple[float, str]:
        assert self._rate is not None  # noqa: S101 - `_would` asked
        text = ""
        if advice.code == DIVERGED and self._restore is not None:
            back_to = _best_step(advice.code, diagnosis)
            self._restore(back_to)
            text = f" and went back to the checkpoint of step {back_to:g}"
        before, factor = self._rate.now(), float(advice.args["factor"])
        self._rate.scale(factor)
        return before, f"Changed the learning rate from {before:.4g} to {self._rate.now():.4g}{text}."

    def _undo(self, step: float) -> Act | None:
        if not self.acts:
            return None
        act = self.acts.pop()
        if act.advice.action in _OF_RATE and self._rate is not None:
            self._rate.scale(1 / float(act.advice.args["factor"]))
        elif act.advice.action == "continue":
            self.planned_steps = act.before
        else:
            self.should_stop, self.best_step = False, None
        self._tell(act, undone_at_step=step)
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


def engage(run: Run, optimizer: Any, allow: Collection[str], options: dict[str, Any]) -> Autopilot:
    """What `Run.autopilot` makes: one that does nothing where it cannot be made as it was asked for."""
    scheduler = options.pop("scheduler", None)
    context = {} if run._about is None else run._about.facts.get("context", {})
    planned_steps = context.get("planned_steps")
    try:
        if unknown := sorted(frozenset(allow) - ALLOWABLE):
            raise Unusable(f"{unknown[0]!r} is not among {', '.join(sorted(ALLOWABLE))}")  # noqa: TRY301
        if processes() > 1:
            raise Unusable("several processes train one model, and only one of them is told")  # noqa: TRY301
        rate = rate_of(optimizer, scheduler)
        made = Autopilot(run, rate, allow, **{"planned_steps": planned_steps, **options})
    except Exception as error:
        run._failed("autopilot", error)
        return Autopilot(run, None, (), planned_steps=planned_steps)
    if rate is not None and scheduler is None and "schedule" not in context:
        run.update(schedule="constant")
    return made


def _best_step(code: str, diagnosis: Diagnosis) -> float:
    """The checkpoint that the same finding says to go back to; the beginning, where it names none."""
    steps = [one.args["best_step"] for one in advice_in(diagnosis) if one.code == code and "best_step" in one.args]
    return float(steps[0]) if steps else 0.0
