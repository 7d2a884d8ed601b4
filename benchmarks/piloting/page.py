"""The figures as docs/autopilot.md."""

from collections.abc import Mapping
from typing import Any

from piloting.policies import AUTOPILOT, OPPONENT, PATIENCE, SHORT_PATIENCE

Figures = Mapping[str, Any]
UNSURE = 0.05  # a loss that an interval has to leave out, to say that there is none to speak of [relative]


def page(figures: Figures, earlier: Figures | None = None) -> str:
    """figures, earlier: of `summary`, with this autopilot and with an earlier one."""
    each = figures["configurations"]
    head = _INTRODUCTION.format(
        seeds=figures["seeds"],
        count=len(each),
        tasks=len({one["task"] for one in each}),
        kinds=", ".join(dict.fromkeys(one["kind"] for one in each)),
        patience=PATIENCE,
        short=SHORT_PATIENCE,
    )
    parts = [head, _target(figures), _against(figures), _by_configuration(figures), _did(figures)]
    return "\n".join([*parts, *([_changes(figures, earlier)] if earlier else []), _LIMITS])


def _target(figures: Figures) -> str:
    """The target and what came of it, in words."""
    counted = figures["against"][OPPONENT]["all"]
    below = sum(one["against"][OPPONENT]["difference"] < 0 for one in figures["configurations"])
    unsure = sum(one["against"][OPPONENT]["high"] > UNSURE for one in figures["configurations"])
    worse = "met" if counted["worse"] == 0 else "missed"
    most = "met" if 2 * counted["better"] > len(figures["configurations"]) else "missed"
    return (
        "## Against reduce-on-plateau with early stopping\n\n"
        f"- Never worse beyond noise: {worse}; worse in {counted['worse']} of {len(figures['configurations'])}.\n"
        f"- Better in most: {most}; better beyond noise in {counted['better']}, alike in {counted['alike']}.\n"
        f"- The mean test loss is lower in {below}, noise aside; the mean difference of all is "
        f"{figures['against'][OPPONENT]['mean']:+.1%}.\n"
        f"- In {unsure} the interval reaches beyond {UNSURE:+.0%}: there {figures['seeds']} seeds do not show that "
        "nothing is lost.\n"
    )


def _against(figures: Figures) -> str:
    text = "| autopilot against | half A | half B | all | test loss, mean difference | updates used |\n"
    text += "| --- | ---: | ---: | ---: | ---: | ---: |\n"
    for name, counted in figures["against"].items():
        halves = " | ".join("{better} / {alike} / {worse}".format(**counted[half]) for half in ("A", "B", "all"))
        text += f"| {name} | {halves} | {counted['mean']:+.1%} | {figures['updates'][name]:.0%} |\n"
    text += f"| *{AUTOPILOT} itself* | | | | | {figures['updates'][AUTOPILOT]:.0%} |\n\n"
    return text + "Better / alike / worse, by configuration. Below 0 the autopilot's loss is lower.\n"


def _by_configuration(figures: Figures) -> str:
    names = list(figures["updates"])
    text = (
        "## Each configuration\n\nTest loss of the checkpoint kept (geometric mean over seeds), and the difference to "
    )
    text += f"{OPPONENT} with its 95 % interval.\n\n"
    text += f"| configuration | kind | half | {' | '.join(names)} | difference | |\n"
    text += f"| --- | --- | --- |{' ---: |' * len(names)} ---: | --- |\n"
    for one in figures["configurations"]:
        losses = " | ".join(f"{one['policies'][name]['test']:.4f}" for name in names)
        said = one["against"][OPPONENT]
        difference = f"{said['difference']:+.1%} ({said['low']:+.1%} to {said['high']:+.1%})"
        text += f"| {one['name']} | {one['kind']} | {one['half']} | {losses} | {difference} | {said['verdict']} |\n"
    text += "\nThe validation loss of the same checkpoints, and the share of the updates that were made:\n\n"
    text += f"| configuration | kind | {' | '.join(names)} |\n| --- | --- |{' ---: |' * len(names)}\n"
    for one in figures["configurations"]:
        cells = [f"{one['policies'][name]['val']:.4f}, {one['policies'][name]['updates']:.0%}" for name in names]
        text += f"| {one['name']} | {one['kind']} | {' | '.join(cells)} |\n"
    return text


def _did(figures: Figures) -> str:
    runs = figures["seeds"] * len(figures["configurations"])
    acts = ", ".join(f"`{act}` {count} times" for act, count in sorted(figures["acts"].items())) or "nothing"
    return f"## What it did\n\nIn {runs} runs: {acts}.\n"


def _changes(figures: Figures, earlier: Figures) -> str:
    """The same configurations as an earlier autopilot flew them."""
    known = {one["name"]: one for one in earlier["configurations"]}
    verdicts: list[list[str]] = []
    text = (
        _CHANGES
        + f"\n| configuration | kind | half | before, against {OPPONENT} | now |\n| --- | --- | --- | --- | --- |\n"
    )
    for one in figures["configurations"]:
        if one["name"] in known:
            sides = [each["against"][OPPONENT] for each in (known[one["name"]], one)]
            verdicts.append([side["verdict"] for side in sides])
            told = " | ".join(f"{side['difference']:+.1%}, {side['verdict']}" for side in sides)
            text += f"| {one['name']} | {one['kind']} | {one['half']} | {told} |\n"
    counts = [[side.count(verdict) for verdict in ("better", "alike", "worse")] for side in zip(*verdicts, strict=True)]
    told = " | ".join(" / ".join(map(str, each)) for each in counts)
    return text + f"| **better / alike / worse** | | | {told} |\n"


_INTRODUCTION = """# Is a job better off on autopilot?

Written by `python benchmarks/autopilot.py --configurations {count} --write`; every figure is of a training.

The client's autopilot (`run.autopilot`, allowed `decay_lr`, `lower_lr`, `stop` and `continue`, everything else by
default) asks a real server for a diagnosis at each of forty evaluations and does what it says. Beside it stand, on the
same {count} configurations ({kinds}; {tasks} tasks of `benchmarks/prescribing/tasks.py`), from the same {seeds} seeds
and with the same batches as long as the policies agree: the rate left as it is; half a cosine to zero over the whole
run; reduce-on-plateau (a tenth after {patience} evaluations without a new best); early stopping (patience {patience});
and the two together, the cut after {short}, for after {patience} the training would be over.

Fixed before any figure was seen: which configurations (the first that a seeded generator draws of each task and kind);
that all may make the same number of updates, so that `continue` has nowhere to go; and which checkpoint counts: for all
alike the one with the lowest validation loss of those seen before the end, but for the autopilot where it stopped and
named one. What is compared is the test loss of that checkpoint, which nothing was chosen on, seed by seed: better or
worse beyond the 95 % limit of a paired t of the logarithms, and by 1 % at least; else alike.

Target: never worse than reduce-on-plateau plus early stopping beyond noise, and better in most.
"""

_CHANGES = """## What was changed after the first figures

The first autopilot cut the rate to a tenth at once, and took advice to stop at any step. The first figures showed:
where validation loss was still falling, slowly and under noise, the cut came too early; and at a rate that is much too
high validation loss climbs from the first evaluations on, which was taken for overfitting and ended runs at a fifth of
their length. So it now brings the rate down in the straight line that the same advice draws for the rest of the plan,
and takes no advice to stop before half of the plan, where the server begins to judge whether a rate is too high, and a
tenth more.
No other number was tried. The runs that ended early are of half A; that the cut came too early shows most on half B, so
half B is no clean test of this. The other policies' trainings are those of the first figures; the autopilot's were
made again, from the same seeds. Configurations that are not in this table were first flown after the change.
"""

_LIMITS = """## What this does not show

Trainings of a few hundred updates of small networks, on CPUs; eight tasks are few. Alike is not the same: at rates that
are far too high a seed decides whether a run recovers, and ten seeds leave room for a loss there. The autopilot is told
how long the run is to be, and so is the cosine; patience needs no plan, and where early stopping ends a run it saves
updates, which a comparison of losses does not count. The autopilot saved none here.
"""
