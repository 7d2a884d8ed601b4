"""How a project stands, in a word or two: as a picture, and as shields.io reads it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from app.rules.context import RunState
from app.rules.verdict import Severity

Tone = Literal["error", "warning", "info", "good", "unknown"]

_LABEL = "learning curves"
# Of 4.5 : 1 and more against white text; the names are what shields has for the same.
_COLORS = {"error": "#b3261e", "warning": "#9a4a00", "info": "#1d5fa8", "good": "#2b6e30", "unknown": "#5a5f64"}
_SHIELDS = {"error": "red", "warning": "orange", "info": "blue", "good": "brightgreen", "unknown": "lightgrey"}
_LEAST_CACHE_S = 300  # shields.io keeps a badge for so long at least
_WORST: Sequence[Severity] = ("error", "warning", "info")

# What XML has no way to write.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROW, _WIDE = frozenset("fijlrtI1|!.,:;'()[] "), frozenset("mwMW@%")


@dataclass(frozen=True)
class Stand:
    """One run, as far as a badge tells. findings: (rule, severity) of those that have fired."""

    state: RunState
    stalled: bool
    judged: bool
    findings: Sequence[tuple[str, Severity]]


@dataclass(frozen=True)
class Badge:
    """about: for those who do not see the picture. is_error: the question was wrong, not the answer bad."""

    label: str
    message: str
    tone: Tone
    about: str
    is_error: bool = False


def badge(about: str, runs: Sequence[Stand], rule: str | None = None) -> Badge:
    """The worst of these runs, in the order error, failed, warning, stalled, info. rule: only what this one found."""
    found = [(one, severity) for run in runs for one, severity in run.findings if rule in (None, one)]
    worst = min((_WORST.index(severity) for _, severity in found), default=len(_WORST))
    failed = any(run.state == "failed" for run in runs) and rule is None
    stalled = any(run.stalled for run in runs) and rule is None
    tone: Tone
    if not runs:
        message, tone = "no runs", "unknown"
    elif worst > 0 and failed:
        message, tone = "run failed", "error"
    elif worst > 1 and stalled:
        message, tone = "run stalled", "warning"
    elif found:
        message, tone = _named(found, _WORST[worst]), _WORST[worst]
    elif not any(run.judged for run in runs):
        message, tone = "not judged yet", "unknown"
    else:
        message, tone = "nothing found", "good"
    return Badge(rule or _LABEL, message, tone, about)


def unknown(message: str, about: str) -> Badge:
    """The badge of what is not there."""
    return Badge(_LABEL, message, "unknown", about, is_error=True)


def shields(drawn: Badge) -> dict[str, object]:
    """What the endpoint badge of shields.io reads: https://shields.io/badges/endpoint-badge."""
    return {
        "schemaVersion": 1,
        "label": drawn.label,
        "message": drawn.message,
        "color": _SHIELDS[drawn.tone],
        "isError": drawn.is_error,
        "cacheSeconds": _LEAST_CACHE_S,
    }


def svg(drawn: Badge) -> str:
    """The picture: 20 px high, with its text as its title, legible without colour."""
    label_px, message_px = (_width_px(text) for text in (drawn.label, drawn.message))
    left, right = label_px + 12, message_px + 12
    title = _NOT_XML.sub("\ufffd", f"{drawn.about}: {drawn.message}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f"aria-label={quoteattr(title)}><title>{escape(title)}</title>"
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="20" fill="#3d4144"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_COLORS[drawn.tone]}"/></g>'
        '<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">'
        # The length is said, so that the text fits in fonts of other widths too.
        f'<text x="6" y="14" textLength="{label_px}">{escape(drawn.label)}</text>'
        f'<text x="{left + 6}" y="14" textLength="{message_px}">{escape(drawn.message)}</text></g></svg>'
    )


def _named(found: Sequence[tuple[str, Severity]], worst: Severity) -> str:
    """A rule that found the worst there is, and how many others found something."""
    rules = dict.fromkeys(rule for rule, severity in sorted(found, key=lambda one: _WORST.index(one[1])))
    first = next(rule for rule, severity in found if severity == worst)
    return first if len(rules) == 1 else f"{first} and {len(rules) - 1} more"


def _width_px(text: str) -> int:
    """About as wide as Verdana is at 11 px."""
    return round(sum(4.4 if one in _NARROW else 10.2 if one in _WIDE else 7.1 for one in text))
