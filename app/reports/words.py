"""How numbers and verdicts are worded, alike in every format that people read."""

from collections.abc import Sequence

from app.diagnosis import Diagnosis
from app.rules.verdict import Clear, Evidence, Finding, Skipped

_PLAIN_CONTROLS = str.maketrans({"\t": " ", "\r": " ", "\n": " "})


def plain(text: str) -> str:
    """The text on one line, fit for a terminal and any encoding of Unicode.

    Names come from strangers: an escape sequence would drive the reader's terminal, a lone surrogate cannot be encoded.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.translate(_PLAIN_CONTROLS))


def number(value: float) -> str:
    """Three significant digits, without an exponent where people would not write one."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{float(f'{value:.3g}'):.10g}"
    return f"{value:.3g}"


def step(value: float) -> str:
    """A step in full: `1200000`, never `1.2e+06`."""
    return str(int(value)) if value.is_integer() else f"{value:.6g}"


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
    return plain(f"{item.name.replace('_', ' ')} {number(item.value)} {item.unit}".rstrip() + beside)


def advice(finding: Finding) -> str:
    """The most useful recommendation."""
    text = finding.recommendations[0].text if finding.recommendations else ""
    return plain(f"{text} (Follows from {finding.caused_by}.)".lstrip() if finding.caused_by else text)


def heading(diagnosis: Diagnosis) -> str:
    """Which run, how far, in which state, judged by which catalogue."""
    where = f"through step {step(diagnosis.through_step)}" if diagnosis.through_step is not None else "no points"
    name = "/".join(part for part in (diagnosis.project, diagnosis.run) if part)
    parts = (name, where, diagnosis.state, f"catalogue {diagnosis.catalogue}")
    return plain(", ".join(part for part in parts if part))


def clear(diagnosis: Diagnosis) -> str:
    """The rules that judged and found nothing, on one line; empty when there are none."""
    return ", ".join(plain(v.rule) for v in diagnosis.verdicts if isinstance(v, Clear))


def skipped(diagnosis: Diagnosis) -> dict[str, list[str]]:
    """Reason -> the rules that could not judge for it, in the order of the verdicts."""
    reasons: dict[str, list[str]] = {}
    for verdict in diagnosis.verdicts:
        if isinstance(verdict, Skipped):
            reasons.setdefault(plain(verdict.reason), []).append(plain(verdict.rule))
    return reasons
