"""The figures as docs/autopilot.md."""

from collections.abc import Mapping
from typing import Any

from piloting.policies import AUTOPILOT, OPPONENT, PATIENCE, SHORT_PATIENCE

Figures = Mapping[str, Any]


def page(figures: Figures) -> str:
    """figures: of `summary`."""
    each = figures["configurations"]
    head = _INTRODUCTION.format(
        seeds=figures["seeds"],
        count=len(each),
        tasks=len({one["task"] for one in each}),
        kinds=", ".join(dict.fromkeys(one["kind"] for one in each)),
        patience=PATIENCE,
        short=SHORT_PATIENCE,
    )
    return "\n".join([head, _target(figures), _against(figures), _by_configuration(figures), _did(figures), _LIMITS])


def _target(figures: Figures) -> str:
    """The target and what came of it, in words."""
    counted = figures["against"][OPPONENT]["all"]
    below = sum(one["against"][OPPONENT]["difference"] < 0 for one in figures["configurations"])
    worse = "met" if counted["worse"] == 0 else "missed"
    most = "met" if 2 * counted["better"] > len(figures["configurations"]) else "missed"
    return (
        "## Against reduce-on-plateau with early stopping\n\n"
        f"Never worse beyond noise: {worse}, worse in {counted['worse']} of {len(figures['configurations'])} "
        f"configurations. Better in most: {most}; better beyond noise in {counted['better']}, alike in "
        f"{counted['alike']}. The mean test loss is lower in {below}, noise aside; over all by "
        f"{-figures['against'][OPPONENT]['mean']:.1%}.\n"
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


_INTRODUCTION = """# Is a job better off on autopilot?

Written by `python benchmarks/autopilot.py --configurations {count} --write`; every figure is of a training that was
done.

The client's autopilot (`run.autopilot`, allowed `decay_lr`, `lower_lr`, `stop` and `continue`, everything else by
default) asks a real server for a diagnosis at each of forty evaluations and does what it says. Beside it stand, on the
same {count} configurations ({tasks} tasks and five architectures of [prescriptions.md](prescriptions.md); {kinds}) and
from the same {seeds} seeds, with the same batches as long as the policies agree: the rate left as it is; half a cosine
to zero over the whole run; reduce-on-plateau (a tenth after {patience} evaluations without a new best); early stopping
(patience {patience}); and the two together, the cut after {short}, for after {patience} the training would be over.

Fixed before any figure was seen: which configurations (the first that a seeded generator draws of each task and kind);
that all may make the same number of updates, so that `continue` has nowhere to go; and which checkpoint counts: for all
alike the one with the lowest validation loss of those seen before the end, but for the autopilot where it stopped and
named one. What is compared is the test loss of that checkpoint, which nothing was chosen on, seed by seed: better or
worse beyond the 95 % limit of a paired t of the logarithms, and by 1 % at least; else alike. Nothing in the autopilot
was changed after figures were seen.

Target: never worse than reduce-on-plateau plus early stopping beyond noise, and better in most.
"""

_LIMITS = """## What this does not show

Trainings of a few hundred updates, on CPUs, of small networks: a policy that waits for forty evaluations is asked for
little patience. Ten seeds of one configuration say little about another; no two rows share a configuration, but eight
tasks are few. Updates that were not made are the gain of early stopping, which the comparison of losses does not count.
"""
