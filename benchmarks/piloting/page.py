"""The figures as docs/autopilot.md."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from piloting.policies import AUTOPILOT, OPPONENT, PATIENCE, SHORT_PATIENCE
from piloting.summary import FEWER

Figures = Mapping[str, Any]
UNSURE = 0.05  # a loss that an interval has to leave out, to say that there is none to speak of [relative]
LEARNT = 0.95  # of a blind guess: what ends above has learnt nothing


def page(figures: Figures, bare: Figures | None = None, earlier: Mapping[str, Figures] | None = None) -> str:
    """figures: of `summary`. bare: of the same configurations without checkpoints to bring back. earlier: as states of
    the autopilot flew other configurations, by what they are, the first one first.
    """
    head = _INTRODUCTION.format(
        seeds=figures["seeds"],
        count=len(figures["configurations"]),
        tasks=len({one["task"] for one in figures["configurations"]}),
        kinds=", ".join(dict.fromkeys(one["kind"] for one in figures["configurations"])),
        patience=PATIENCE,
        short=SHORT_PATIENCE,
        fewer=FEWER,
    )
    parts = [head, _target(figures), _against(figures), _did(figures)]
    parts += [*([_without_checkpoints(bare)] if bare else []), _by_configuration(figures)]
    return "\n".join([*parts, *([_changes({**earlier, "today's, above": figures})] if earlier else []), _LIMITS])


def _target(figures: Figures) -> str:
    """The target and what came of it, in words."""
    counted = figures["against"][OPPONENT]["all"]
    both = figures["against"][OPPONENT]["all_both"]
    below = sum(one["against"][OPPONENT]["difference"] < 0 for one in figures["configurations"])
    unsure = sum(one["against"][OPPONENT]["high"] > UNSURE for one in figures["configurations"])
    worse = "met" if counted["worse"] == 0 else "missed"
    most = "met" if 2 * counted["better"] > len(figures["configurations"]) else "missed"
    return (
        "## Against reduce-on-plateau with early stopping\n\n"
        f"- Never worse beyond noise: {worse}; worse in {counted['worse']} of {len(figures['configurations'])}.\n"
        f"- Better in most: {most}; better beyond noise in {counted['better']}, alike in {counted['alike']}.\n"
        f"- By loss and updates: better in {both['better']}, alike in {both['alike']}, worse in {both['worse']}.\n"
        f"- The mean test loss is lower in {below}, noise aside; the mean difference of all is "
        f"{figures['against'][OPPONENT]['mean']:+.1%}.\n"
        f"- In {unsure} the interval reaches beyond {UNSURE:+.0%}: there {figures['seeds']} seeds do not show that "
        "nothing is lost.\n" + _learnt(figures)
    )


def _learnt(figures: Figures) -> str:
    """The same count without those that were lost or hopeless under the policy beside it."""
    each = figures["configurations"]
    learnt = [one for one in each if one["policies"][OPPONENT]["test"] < LEARNT * one["blind"]]
    counts = Counter(one["against"][OPPONENT]["verdict"] for one in learnt)
    return (
        f"- In {len(each) - len(learnt)} the policy beside it ended within {1 - LEARNT:.0%} of a blind guess or above: "
        f"blown up, or nothing learnt that carries over. Of the other {len(learnt)}, better in {counts['better']}, "
        f"alike in {counts['alike']}, worse in {counts['worse']}.\n"
    )


def _without_checkpoints(bare: Figures) -> str:
    counted = bare["against"][OPPONENT]
    worse = [one["name"] for one in bare["configurations"] if one["against"][OPPONENT]["verdict"] == "worse"]
    return (
        "## Without a checkpoint to bring back\n\nThe same configurations and seeds, the autopilot not told how: "
        "{better} better, {alike} alike, {worse} worse".format(**counted["all"])
        + (f" ({', '.join(worse)})" if worse else "")
        + f"; mean difference {counted['mean']:+.1%}, {bare['updates'][AUTOPILOT]:.0%} of the updates. By loss and "
        + "updates: {better} better, {alike} alike, {worse} worse.\n".format(**counted["all_both"])
    )


def _against(figures: Figures) -> str:
    text = "| autopilot against | half A | half B | all | by loss and updates | mean difference of test loss |"
    text += " updates used |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    for name, counted in figures["against"].items():
        halves = " | ".join(
            "{better} / {alike} / {worse}".format(**counted[half]) for half in ("A", "B", "all", "all_both")
        )
        text += f"| {name} | {halves} | {counted['mean']:+.1%} | {figures['updates'][name]:.0%} |\n"
    text += f"| *{AUTOPILOT} itself* | | | | | | {figures['updates'][AUTOPILOT]:.0%} |\n\n"
    return text + "Better / alike / worse, by configuration. Below 0 the autopilot's loss is lower.\n"


def _by_configuration(figures: Figures) -> str:
    names = list(figures["updates"])
    text = (
        "## Each configuration\n\nTest loss of the checkpoint kept (geometric mean over seeds), and the difference to "
    )
    text += f"{OPPONENT} with its 95 % interval; by loss, and by loss and updates.\n\n"
    text += f"| configuration | kind | half | {' | '.join(names)} | difference | by loss | and updates |\n"
    text += f"| --- | --- | --- |{' ---: |' * len(names)} ---: | --- | --- |\n"
    for one in figures["configurations"]:
        losses = " | ".join(f"{one['policies'][name]['test']:.4f}" for name in names)
        said = one["against"][OPPONENT]
        difference = f"{said['difference']:+.1%} ({said['low']:+.1%} to {said['high']:+.1%})"
        text += f"| {one['name']} | {one['kind']} | {one['half']} | {losses} | {difference} | "
        text += f"{said['verdict']} | {said['both']} |\n"
    text += "\nThe validation loss of the same checkpoints, and the share of the updates that were made:\n\n"
    text += f"| configuration | kind | {' | '.join(names)} |\n| --- | --- |{' ---: |' * len(names)}\n"
    for one in figures["configurations"]:
        cells = [f"{one['policies'][name]['val']:.4f}, {one['policies'][name]['updates']:.0%}" for name in names]
        text += f"| {one['name']} | {one['kind']} | {' | '.join(cells)} |\n"
    return text


def _did(figures: Figures) -> str:
    runs = figures["seeds"] * len(figures["configurations"])
    acts = ", ".join(f"`{act}` {count} times" for act, count in sorted(figures["acts"].items())) or "nothing"
    return f"In {runs} runs it did: {acts}.\n"


def _changes(states: Mapping[str, Figures]) -> str:
    """What earlier states of the autopilot made of the configurations that it was changed on, and of those after."""
    text = _CHANGES + "\n| state | configurations | half A | half B | by loss and updates | mean difference |"
    text += " updates used |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    for name, state in states.items():
        said = state["against"][OPPONENT]
        counts = " | ".join("{better} / {alike} / {worse}".format(**said[half]) for half in ("A", "B", "all_both"))
        text += f"| {name} | {len(state['configurations'])} | {counts} | {said['mean']:+.1%} | "
        text += f"{state['updates'][AUTOPILOT]:.0%} |\n"
    return text


_INTRODUCTION = """# Is a job better off on autopilot?

Written by `python benchmarks/autopilot.py --draw 3 --bare DIR --earlier NAME=DIR … --write`; every figure is of a
training.

The client's autopilot (`run.autopilot`, allowed `decay_lr`, `lower_lr`, `stop` and `continue`, told how to bring a
checkpoint back, everything else by default) asks a real server for a diagnosis at each of forty evaluations and does
what it says, answers advice to stop with a second try first, and lands: it flies the last fifth of the plan down to a
rate of zero. Beside it stand, on the same {count} configurations ({kinds}; {tasks} tasks of
`benchmarks/prescribing/tasks.py`), from the same {seeds} seeds and with the same batches as long as the policies agree:
the rate left as it is; half a cosine to zero over the whole run; reduce-on-plateau (a tenth after {patience}
evaluations without a new best); early stopping (patience {patience}); and the two together, the cut after {short}, for
after {patience} the training would be over.

Fixed before any figure was seen: which configurations (the first that a seeded generator draws of each task and kind);
that all may make the same number of updates, so that `continue` has nowhere to go; and which checkpoint counts: for all
alike the one with the lowest validation loss of those seen before the end, but for the autopilot where it stopped and
named one. What is compared is the test loss of that checkpoint, which nothing was chosen on, seed by seed: better or
worse beyond the 95 % limit of a paired t of the logarithms, and by 1 % at least; else alike. Beside it stands a verdict
by loss and updates, fixed before these configurations were flown: the same, and where the losses are alike, better is
who made at least {fewer:.0%} fewer updates.

Target: never worse than reduce-on-plateau plus early stopping beyond noise, and better in most.

These configurations were drawn, and flown once, after the last change of the autopilot: nobody had looked at them, nor
changed anything for them.
"""

_CHANGES = """## What was changed

1. The first autopilot cut the rate to a tenth at once, and took advice to stop at any step: too early where validation
   loss still fell slowly, and at a rate that is far too high, where validation loss climbs from the first evaluations
   on.
2. The second followed the straight line that the advice draws, and took no advice to stop before half of the plan and a
   tenth more: alike nearly everywhere, and no updates saved.
3. The third lands; answers advice to stop with a second try (the best checkpoint, 0.3 of the rate, a line to zero at
   the planned end) at any step where it can bring a checkpoint back, and stops where the finding returns; begins again,
   at a lower rate, a run that has learnt nothing; and leaves alone a plateau that hardly bounces, of which the server's
   rule has come to inform only. It was made on half A of draw 1 and on 36 more configurations of the tasks of half A;
   half B it flew once. Draw 2 was nobody's before it was flown.
4. On draw 2 without checkpoints to bring back the third was worse in eight. In six of them for one reason: it kept
   the checkpoint that the advice named then, the earliest that noise cannot tell from the best. So the fourth, today's,
   names the best evaluation, and none where a run diverged. Draw 2 was looked at for that; what is above is of draw 3.

Tried on half A, and left: landings over 10, 15, 25, 30 and 50 % of the plan; 1 - sqrt in place of each line; second
tries at 0.1 and 0.5 of the rate, from half of the best step, and over 30 % of the plan only; a cut to 0.3 before the
line; going back to the best checkpoint before the line; judging a plateau from 30 % of the plan on. None was better in
more configurations without being worse in another. Taken: half of a landing where both losses still fall, for there a
fifth of the plan cost 1.6 %.

Better / alike / worse against reduce-on-plateau with early stopping; the other policies' trainings on a draw are the
same for all states.
"""

_LIMITS = """## What this does not show

Trainings of a few hundred updates of small networks, on CPUs; eight tasks are few. Alike is not the same: at rates that
are far too high a seed decides whether a run recovers, and ten seeds leave room for a loss there. The autopilot is told
how long the run is to be, and so is the cosine; patience needs no plan. It is told how to bring a checkpoint back as
well: a job that cannot has neither second tries nor new beginnings. Where a plan ends while the loss still falls
steeply, a landing costs, half as long or not. The autopilot saves few updates: where early stopping ends a
run, a second try goes on, and a rate that comes down to zero at the end of the plan needs the plan.
"""
