"""What `curvewise search run` shows: a table of what runs on a terminal, and a line for each thing that happens."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.cli.console import say
from app.cli.search_words import asked, configuration, number
from app.reports.words import plain
from app.search.answers import Next
from app.tuning.trial import Ended, Running


class Lines:
    """A line for each thing that happens, on stderr."""

    def coming(self, coming: Next) -> None:
        """A step begins."""
        self._say(f"step {coming.search_step}, {coming.name}: {coming.why}")

    def started(self, trial: Running) -> None:
        """A trial begins."""
        self._say(f"  {trial.proposal.run}: {asked(trial.proposal)}")

    def looked(self, running: list[Running]) -> None:
        """Nothing: where a trial stands would fill a log."""

    def ended(self, ended: Ended, tail: list[str]) -> None:
        """How it ended, and what it printed last where it did not end well."""
        at = "" if ended.step is None else f" at step {ended.step:g}"
        level = "" if ended.level is None else f", {ended.level:.4g}"
        why = "" if ended.how == "finished" else f": {ended.why}"
        self._say(f"  {ended.proposal.run}: {ended.how}{at}{level}, {ended.seconds:.1f} s{why}")
        if ended.how in ("failed", "logged nothing", "timed out"):
            for line in tail:
                self._say(f"    | {line}")

    def note(self, text: str) -> None:
        """As it is."""
        self._say(text)

    def _say(self, text: str) -> None:
        say(text)


class Screen(Lines):
    """The same lines, above a table of what runs now."""

    def __init__(self, live: Live, metric: str) -> None:
        self._live, self._metric = live, metric

    def looked(self, running: list[Running]) -> None:
        """The table anew; the terminal shows it a few times a second."""
        self._live.update(_table(running, self._metric))

    def _say(self, text: str) -> None:
        self._live.console.print(Text(plain(text)))


@contextmanager
def display(metric: str) -> Iterator[Lines]:
    """By what stderr is. metric: what the level shown is of."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield Screen(live, metric)


def _table(running: list[Running], metric: str) -> Table:
    table = Table("run", "configuration", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("step", metric, "forecast", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for trial in running:
        planned = "" if trial.planned_steps is None else f"/{trial.planned_steps:g}"
        forecast = trial.forecast
        expected = "-"
        if forecast is not None and forecast.low is not None and forecast.high is not None:
            expected = f"{number(forecast.low)} to {number(forecast.high)}"
        table.add_row(
            Text(plain(trial.proposal.run)),
            Text(configuration(trial.proposal.config)),
            f"{number(trial.step)}{planned}",
            number(trial.level),
            expected if trial.ending is None else "ending",
            f"{trial.child.seconds:.0f} s",
        )
    return table
