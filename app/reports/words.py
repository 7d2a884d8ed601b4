"""How numbers and verdicts are worded, alike in every format that people read."""

import math
from collections.abc import Sequence

from app.diagnosis import Diagnosis
from app.rules.rule import LARGEST_EVIDENCE
from app.rules.verdict import Evidence, Finding, Severity

# Severities, the worst first, by a shape that is told apart without its colour.
SIGNS: dict[Severity, str] = {
    "error": "\N{BLACK DIAMOND}",
    "warning": "\N{BLACK UP-POINTING TRIANGLE}",
    "info": "\N{BLACK CIRCLE}",
}
_PLAIN_CONTROLS = str.maketrans({"\t": " ", "\r": " ", "\n": " "})


def plain(text: str) -> str:
    """The text on one line, fit for a terminal and any encoding of Unicode.

    Names come from strangers: an escape sequence would drive the reader's terminal, a lone surrogate cannot be encoded.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.translate(_PLAIN_CONTROLS))


def title(text: str) -> str:
    r"""The text as the title of an axis or of a line beside the pointer.

    Vega-Lite puts titles into expressions and escapes quotes there, but not the backslash before one: the name `a\"b`
    would end the text, and its chart could not be drawn. An operator that looks the same stands in for it.
    """
    return plain(text).replace("\\", "\N{REVERSE SOLIDUS OPERATOR}")


def number(value: float) -> str:
    """Three significant digits, without an exponent where people would not write one."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{float(f'{value:.3g}'):.10g}"
    return f"{value:.3g}"


def step(value: float) -> str:
    """A step in full: `1200000`, never `1.2e+06`."""
    return str(int(value)) if float(value).is_integer() else f"{value:.6g}"  # an int has no such method before 3.12


def confidence(value: float) -> str:
    """A probability in per cent; one that is not quite certain never reads 100 %."""
    return f"{min(round(value * 100), 99) if value < 1 else 100} %"


def per_cent(value: float) -> str:
    """A share in per cent, with a digit after the point below ten: `9.4 %`, `34 %`."""
    return (
        f"{value:.0%}".replace("%", " %")
        if abs(value) >= 0.0995 or value == 0
        else f"{number(round(value * 100, 1))} %"
    )


def evidence(items: Sequence[Evidence], most: int = 2) -> str:
    """The first `most` measured numbers beside their limits, one a line."""
    return "\n".join(_one_evidence(item) for item in items[:most])


def _one_evidence(item: Evidence) -> str:
    beside = "" if item.limit is None else f" (limit {number(item.limit)})"
    # A ratio to next to nothing is written down as 1e100: for people it is without bound.
    unbounded = abs(item.value) >= LARGEST_EVIDENCE
    value = number(math.copysign(math.inf, item.value) if unbounded else item.value).replace("inf", "\N{INFINITY}")
    return plain(f"{item.name.replace('_', ' ')} {value} {item.unit}".rstrip() + beside)


def advice(finding: Finding) -> str:
    """The most useful recommendation."""
    text = finding.recommendations[0].text if finding.recommendations else ""
    return plain(f"{text} (Follows from {finding.caused_by}.)".lstrip() if finding.caused_by else text)


def name(diagnosis: Diagnosis) -> str:
    """Project and run; empty for curves that have no name."""
    return plain("/".join(part for part in (diagnosis.project, diagnosis.run) if part))


def standing(diagnosis: Diagnosis) -> str:
    """How far the run is, in which state, and judged by which catalogue."""
    where = f"through step {step(diagnosis.through_step)}" if diagnosis.through_step is not None else "no points"
    return plain(", ".join((where, diagnosis.state, f"catalogue {diagnosis.catalogue}")))


def heading(diagnosis: Diagnosis) -> str:
    """Which run, how far, in which state, judged by which catalogue."""
    return ", ".join(part for part in (name(diagnosis), standing(diagnosis)) if part)


def counted(diagnosis: Diagnosis) -> str:
    """How many findings of each severity, the worst first: `1 error, 2 warnings`."""
    severities = [finding.severity for finding in diagnosis.findings]
    counts = [(severity, severities.count(severity)) for severity in SIGNS if severity in severities]
    plural = {"error": "errors", "warning": "warnings", "info": "notes"}
    singular = {"error": "error", "warning": "warning", "info": "note"}
    return ", ".join(f"{n} {(singular if n == 1 else plural)[severity]}" for severity, n in counts) or "nothing found"
