"""The figures as docs/prescriptions.md, and those of the torch form as docs/prescriptions-torch.md."""

from collections.abc import Mapping
from typing import Any

from prescribing.cures import SEEDS

Figures = Mapping[str, Any]
TARGET_HELPED, TARGET_HARMED = 0.9, 0.05
_SHARES = {"beat": "beat the control", "helped": "helped", "harmed": "harmed"}
_HEAD = f"| {{}} | applied | {' | '.join(_SHARES.values())} | median gain |\n| --- {'| ---: ' * (len(_SHARES) + 2)}|\n"


def page(figures: Figures, seed: int, before: Figures | None = None) -> str:
    """figures, before: of `summary`, by this state of the rules and by an earlier one."""
    parts = [
        _INTRODUCTION.format(
            runs=sum(half["runs"] for half in figures.values()),
            tasks=sum(len(half["tasks"]) for half in figures.values()),
            seed=seed,
            seeds=SEEDS["numpy"],
            a=", ".join(figures["A"]["tasks"]),
            b=", ".join(figures["B"]["tasks"]),
        )
    ]
    if before:
        parts += [_comparison("B", figures, before, "before half A taught them and after"), _LESSONS]
    parts += [_half(letter, figures[letter]) for letter in "BA"]
    return "\n".join(parts)


def torch_page(figures: Figures, seed: int, before: Figures | None = None) -> str:
    """figures, before: of `summary` of the torch form, by this state of the rules and by an earlier one."""
    half = figures["C"]
    parts = [_TORCH_INTRODUCTION.format(runs=half["runs"], seed=seed, seeds=SEEDS["torch"])]
    if before:
        parts.append(_comparison("C", figures, before, "before and after they were changed"))
    return "\n".join([*parts, _half("C", half)])


def _half(letter: str, half: Figures) -> str:
    what = "on which advice was changed" if letter == "A" else "which were only reported"
    rows = {"**all warnings and errors**": half["warnings and errors"]} | half["by rule"]
    text = f"## Half {letter}: the tasks {what}\n\n"
    text += f"{half['runs']} runs of {', '.join(half['tasks'])}; {half['alarmed']} have a warning or an error.\n\n"
    text += _table("warnings and errors", rows) + "\n" + _table("by action", half["by action"]) + "\n"
    text += _table("infos", {"**all infos**": half["infos"]} | half["infos by rule"]) + "\n"
    return text + (_missed(half) if half["quiet"] else "")


def _missed(half: Figures) -> str:
    quiet = half["quiet"]
    text = (
        f"Of {quiet} runs without a warning or an error a standard cure helped {half['missed']}, "
        f"by a tenth or more {half['clearly missed']}. Each cure was tried on each of them:\n\n"
    )
    text += "| standard cure | tried | helped | by a tenth or more | harmed | median gain |\n"
    text += "| --- | ---: | ---: | ---: | ---: | ---: |\n"
    for name, tally in half["standard cures"].items():
        if tally["applied"]:
            shares = (f"{tally[what] / tally['applied']:.0%}" for what in ("helped", "clearly helped", "harmed"))
            text += f"| {name} | {tally['applied']} | {' | '.join(shares)} | {_gain(tally)} |\n"
    return text


def _comparison(letter: str, figures: Figures, before: Figures, when_judged: str) -> str:
    text = f"## Before and after, on half {letter}\n\nThe same runs, judged by the rules {when_judged}.\n\n"
    earlier, now = before[letter], figures[letter]
    rows: dict[str, Any] = {}
    for what in ("warnings and errors", "infos"):
        rows |= {f"{what}, before": earlier[what], f"{what}, after": now[what]}
    names = sorted({*earlier["by rule"], *now["by rule"]})
    for name in names:
        for when, which in (("before", earlier), ("after", now)):
            if name in which["by rule"]:
                rows[f"{name}, {when}"] = which["by rule"][name]
    return text + _table(f"half {letter}", rows)


def _table(name: str, rows: Mapping[str, Any]) -> str:
    return _HEAD.format(name) + "".join(_row(each, tally) for each, tally in rows.items())


def _row(name: str, tally: Figures) -> str:
    applied, cannot = tally["applied"], tally["not applicable"]
    counted = f"{applied}" + (f" (and {cannot} that no program can apply)" if cannot else "")
    if not applied:
        return f"| {name} | {counted} {'| ' * len(_SHARES)}| |\n"
    shares = (_share(tally[what], applied, tally[f"{what} interval"]) for what in _SHARES)
    return f"| {name} | {counted} | {' | '.join(shares)} | {_gain(tally)} |\n"


def _share(count: int, of: int, interval: tuple[float, float]) -> str:
    return f"{count / of:.0%} ({interval[0]:.0%} to {interval[1]:.0%})"


def _gain(tally: Figures) -> str:
    middle, low, high = tally["median gain"]
    return f"{middle:.1%} ({low:.1%} to {high:.1%})"


_INTRODUCTION = """# Does the advice help?

Written by `python benchmarks/prescriptions.py --seed {seed} --write` (and `--before LABEL` for the comparison with
diagnoses by earlier rules that a `--folder` has); every figure is of a training that was done.

{runs} configurations were drawn at random over {tasks} tasks and five architectures (dense ReLU, deep tanh,
convolution, recurrent, attention; all in NumPy, on CPUs): a quarter sane, the others spoiled in one of twelve ways.
Each was trained and reported to a server through the client, as a job would. Then the first recommendation of each
finding was applied exactly as its machine-readable action says, from {seeds} seeds, beside a control of the same budget
from {seeds} others.

Helped means: the mean test loss at the end is below the control's by more than the 95 % limit of the scatter between
seeds, and by 1 % at least, and below a blind guess. Harmed: above by as much. This was fixed before any figure was seen
(`benchmarks/prescribing/outcomes.py`; what each action does to a training: `cures.py` beside it). What beat the control
did so by as much, whether or not it ended below a blind guess. All is read off test
data that no rule and no choice has seen, `stop` included: its step comes from the validation data of another seed.
The intervals are Wilson's for shares and of order statistics for medians, at 95 %; runs of one task are hardly
independent, so that the truth is wider.

Target: at least 90 % of warnings and errors help, at most 5 % harm.

The tasks are split by a fixed seed.

- Half A: {a}. What did not help there was looked into, on other draws of the same tasks, and the rules were changed
  where there was a reason.
- Half B: {b}. It is only reported.

"No difference" includes what {seeds} seeds a side cannot tell.

The same was done with PyTorch on real data: [prescriptions-torch.md](prescriptions-torch.md).
"""

_TORCH_INTRODUCTION = """# Does the advice help? On real data, in PyTorch

Written by `python benchmarks/prescriptions.py --form torch --seed {seed} --write` (needs the extra `bench`; `--before
LABEL` as for the NumPy form); every figure is of a training that was done.

{runs} configurations were drawn at random, a quarter sane and the others spoiled in one of the twelve ways of
[the NumPy form](prescriptions.md), which also says what helped and harmed mean and what the target is (at least 90 % of
warnings and errors help, at most 5 % harm); {seeds} seeds a side. The rest is as its users have it:

- data: handwritten digits, tumours and the course of diabetes, all bundled with scikit-learn; pieces of its two
  photographs, told apart; and the next character in the text of a licence. Three fifths are to train on, a fifth each
  for validation and test, split anew for each configuration; pieces of one tile or passage stay together. Labels of
  digits, tumours and photographs have up to 15 % noise added;
- models: `torch.nn`'s linear layers with and without batch normalisation, convolutions with it, a GRU and a transformer
  encoder, each with its field's initialisation;
- training: `torch.optim`'s SGD with momentum and AdamW with their own weight decay, dropout, batches without
  replacement.

This is half C: no rule was tuned on it. It is only reported.

The test data are few (diabetes: 89 rows) and the same for both sides: the intervals know the scatter between seeds and
between runs, and not that of the test data.
"""

_LESSONS = """What half A taught, about the cures but for the two that say so. Limits are the same for all tasks.

- `decay_needed` asked for a tenth of the rate at once: now for a straight line to zero over a fifth of the run's
  length. What a lower rate still harmed were runs in slow descent. It gains about as much as the loss bounces, and
  going on at the old rate gains what the late course falls by: where that is more, or the bounce is below 2 %, it is
  information and no warning any more.
- `exploding` asked for a tenth of the rate, or a third. Now it is divided by as much as the loss climbed, by 10 to 100,
  and by 100 where the loss was gone at once. Too low by ten costs little, too high costs everything.
- `not_decreasing` sent runs whose rate was far too low to their initialisation, or to a rate lower still where single
  batches scattered. Held-out loss is always of the same data and moves only as the weights do: where it falls, however
  little, in proportion to the rate spent, the rate is too low, and the fall says by how much. Where it moved at first
  and then sits at a blind guess, weight decay has the weights. Where it scattered before a schedule quieted it, the
  rate is too high. And where the first batches of a regression happened to be easy ones, it found what is not there:
  validation before the first update says where the run began (of the curve).
- `wrong_initial_loss` scaled the weights of the output layer down. Whether those, its bias or all layers before it are
  too large does not show in a loss, and only the first was cured: now every layer is to be made anew. And it overlooked
  the loss at step 0 where train loss is logged from step 0 on as well (of the curve).
- `bad_init_plateau` is a warning only where the loss falls as over a cliff. From slower starts most trainings came to
  the same end from another initialisation, for there was nothing wrong with theirs.
- Some findings follow from another, and then it is that one's cure that helps: an explosion or a poor fit from a wrong
  start, a bounce or overfitting where nothing was learnt, a climb of validation loss at a rate too high to settle.
- `overfitting` named the earliest checkpoint that noise cannot tell from the best: now the best one.

Half B was drawn four times, and each draw was looked at. A first one (`--seed 1`, six seeds a side), judged by the
rules of then, showed 65 % helped and 8 % harmed. By the rules as they are, 89 % (81 % to 94 %) of 85 warnings and
errors helped and 1 % harmed on the second (`--seed 2`), 75 % (63 % to 83 %) of 71 and 6 % on the third (`--seed 3`),
whose half A taught when a lower rate is worth a warning. The fourth (`--seed 4`) was drawn after that; only the
checkpoint of `overfitting` was changed since, by half A, which moved no count of half B. The last three together: 85 %
(80 % to 89 %) of 245 helped, 87 % (82 % to 91 %) beat the control, 2 % (1 % to 5 %) harmed; by the rules before half A
taught them 56 % of 311 helped and 17 % harmed. So harm is below its target, and help is short of its own.

Tried and left: to call a wrong start mere information where the run was soon back at a blind guess. On half A it looked
right, on other labelled runs it was not: there such starts ended in a far worse loss.
"""
