"""Checks as Markdown, worst first: a table of runs, then in full each run of which there is something to say.

For GitHub's job summary and for the one comment that a pipeline keeps up to date in a merge request.
"""

from collections.abc import Iterator, Sequence

from app.checks.check import OUTCOMES, Check
from app.reports import markdown
from app.reports.escaping import in_html, in_markdown

COMMENT_BYTES = 65_000  # GitHub takes 65,536 characters; bytes are never fewer
SUMMARY_BYTES = 1_000_000  # of 1 MiB a step; a larger one is not shown at all
_SIGNS = {"fail": "\N{CROSS MARK}", "investigate": "\N{WARNING SIGN}", "pass": "\N{WHITE HEAVY CHECK MARK}"}
_WORDS = {"fail": "failed", "investigate": "to investigate", "pass": "passed"}


def render(checks: Sequence[Check], name: str = "curvewise", *, room: int = COMMENT_BYTES) -> str:
    """A comment whose first line is the marker that its successor finds it by, in at most `room` bytes of UTF-8."""
    return _fitted(f"{marker(name)}\n", checks, name, room)


def summary(checks: Sequence[Check], name: str = "curvewise", *, taken: int = 0) -> str:
    """What is appended to a job's summary that has `taken` bytes already; empty when not even a heading fits."""
    return _fitted("\n" if taken else "", checks, name, SUMMARY_BYTES - taken)


def marker(name: str) -> str:
    """The line that a comment of this name begins with, unseen by readers."""
    return f"<!-- curvewise-check {name} -->"


def tally(checks: Sequence[Check]) -> str:
    """How many checks came out how: `1 failed, 2 passed`."""
    counts = {outcome: sum(check.outcome == outcome for check in checks) for outcome in reversed(OUTCOMES)}
    return ", ".join(f"{count:,} {_WORDS[outcome]}" for outcome, count in counts.items() if count) or "nothing to check"


def _fitted(begin: str, checks: Sequence[Check], name: str, room: int) -> str:
    """Whole blocks only, so that no table or tag is left open; and where some are missing, a line that says so."""
    missing = "\n*Not everything fits here: the report as HTML or JSON has it all.*\n"
    left = room - _size(begin) - _size(missing)
    said, whole = [begin], True
    for block in _blocks(checks, name):
        if _size(block) > left:
            whole = False
            break
        said.append(block)
        left -= _size(block)
    if len(said) == 1:
        return ""
    return "".join(said) if whole else "".join(said) + missing


def _blocks(checks: Sequence[Check], name: str) -> Iterator[str]:
    worst_first = sorted(checks, key=lambda check: -OUTCOMES.index(check.outcome))
    yield f"## {in_markdown(name)}: {tally(checks)}\n"
    if worst_first:
        yield "\n| outcome | run | why |\n| --- | --- | --- |\n" + _row(worst_first[0])
    for check in worst_first[1:]:
        yield _row(check)
    for check in worst_first:
        if check.outcome != "pass" or check.diagnosis.findings:
            title = f"{_SIGNS[check.outcome]} {in_html(check.name)}"
            yield f"\n<details><summary>{title}</summary>\n\n{markdown.render(check.diagnosis)}\n</details>\n"


def _row(check: Check) -> str:
    why = [in_markdown(reason.text) for reason in check.reasons]
    why += [in_markdown(c.reason) for c in check.comparisons if c.relation in ("same", "better")]
    return f"| {_SIGNS[check.outcome]} {check.outcome} | {in_markdown(check.name)} | {'<br>'.join(why)} |\n"


def _size(text: str) -> int:
    return len(text.encode())
