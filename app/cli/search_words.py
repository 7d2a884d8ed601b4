"""A search in words: its steps, what comes next, how configurations stand, and what a walk did."""

from collections.abc import Iterator, Mapping

from app.reports.words import plain
from app.search.answers import Next, Proposal, Ranked, StepReport
from app.tuning.command import flattened, shown
from app.tuning.searches import Standing
from app.tuning.trial import Walked

_MARKS = {"done": "+", "failed": "!", "open": ".", "skipped": "-"}


def configuration(config: Mapping[str, object]) -> str:
    """`lr=0.01 weight_decay=0`."""
    return plain(" ".join(f"{name}={shown(value)}" for name, value in flattened(config)))


def number(value: float | None) -> str:
    """Four digits, a dash where there is none."""
    return "-" if value is None else f"{value:.4g}"


def step_lines(steps: tuple[StepReport, ...]) -> Iterator[str]:
    """Two or three lines a step."""
    for step in steps:
        yield f"{_MARKS[step.status]} {step.number} {step.name}: {step.status}"
        yield f"    {plain(step.says)}"
        if step.missing:
            yield f"    missing: {plain(step.missing)}"
        if step.inferred:
            yield f"    the step was not declared by, and inferred from, {plain(', '.join(step.inferred))}"


def next_lines(coming: Next) -> Iterator[str]:
    """What comes next and why, and a block a proposal."""
    yield f"{'stop' if coming.stop else 'next'}: step {coming.search_step}, {coming.name}"
    yield f"    {plain(coming.why)}"
    for proposal in coming.proposals:
        yield f"{plain(proposal.run)}: {asked(proposal)}"
        yield f"    {plain(proposal.why)}"


def asked(proposal: Proposal) -> str:
    """`lr=0.01 width=15 (500 steps = 17 epochs, sample_size 15, seed 0)`."""
    planned = ((proposal.planned_steps, "steps"), (proposal.planned_epochs, "epochs"))
    length = [f"{value:.4g} {unit}" for value, unit in planned if value is not None]
    beside = [" = ".join(length)] if length else []
    beside += [f"{name} {shown(value)}" for name, value in proposal.settings.items()]
    told = f" ({', '.join(beside)})" if beside else ""
    return f"{configuration(proposal.config)}{plain(told)}"


def ranking_lines(ranking: tuple[Ranked, ...], metric: str) -> Iterator[str]:
    """A line a configuration, the best first; `=` marks those that noise cannot tell from it."""
    if ranking:
        yield f"configurations by {metric}, the best first (= as good as the best within noise):"
    for ranked in ranking:
        mark = "=" if ranked.equivalent_to_best else " "
        interval = "" if ranked.interval is None else f" ({ranked.interval[0]:.4g} to {ranked.interval[1]:.4g})"
        seeds = f"{ranked.seeds} seed{'s' if ranked.seeds != 1 else ''}"
        where = f"step {ranked.search_step}, {seeds}"
        yield f"  {mark} {ranked.level:.4g}{interval}  {configuration(ranked.config)}  [{where}]"


def standing_lines(standing: Standing) -> Iterator[str]:
    """All of it."""
    runs, most = standing.about["runs"], standing.about["most_runs"]
    yield f"{standing.about['search']}: {runs} runs{'' if most is None else f' of at most {most}'}"
    yield from step_lines(standing.steps)
    yield from ranking_lines(standing.ranking, standing.metric)
    yield from next_lines(standing.next)


def walked_lines(walked: Walked, standing: Standing) -> Iterator[str]:
    """What a walk did, how the search stands now, and what early stopping saved."""
    yield from step_lines(standing.steps)
    yield from ranking_lines(standing.ranking, standing.metric)
    yield f"{len(walked.ended)} trials in {walked.seconds:.3g} s of training"
    counted = [(how, sum(one.how == how for one in walked.ended)) for how in dict.fromkeys(e.how for e in walked.ended)]
    if odd := [f"{count} {how}" for how, count in counted if how != "finished"]:
        yield f"of them {', '.join(odd)}"
    stopped, steps, seconds = walked.saved
    if stopped:
        share = seconds / (seconds + walked.seconds)
        yield (
            f"stopping {stopped} hopeless trial{'s' if stopped > 1 else ''} early saved about {steps:,.0f} updates, "
            f"{seconds:.3g} s at their pace: {share:.0%} of the time that all trials would have taken"
        )
    yield plain(walked.why)
