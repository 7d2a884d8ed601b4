"""The diagnosis as one HTML file that needs nothing else: it is read offline, by day and night, on a phone and aloud.

Every text goes through the template, which escapes it. The file's own policy lets nothing run but its own two scripts,
by their hashes, and nothing be fetched.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from app.checks.check import Check
from app.curves.curve import Curve
from app.diagnosis import Diagnosis
from app.reports import words
from app.reports.audit import Found, audit
from app.reports.chart import HEIGHT, report_chart
from app.reports.pictures import svg
from app.reports.points import metrics, suits_log
from app.reports.script import script
from app.reports.theme import config

MOST_CHARTS = 12  # of a run: what people look at first; a job may log hundreds of curves
_SMALL = 180  # height of the charts of other metrics [pixels]
_PICTURE_POINTS = 400  # of a curve, in the picture that stands where no script runs


def render(diagnosis: Diagnosis, curves: Mapping[str, Curve], *, roles: Mapping[str, str] | None = None) -> str:
    """One run. curves: by raw name, of any length; roles: raw name -> role, over what the name says."""
    return render_many([(diagnosis, curves)], roles=roles)


def render_many(
    runs: Sequence[tuple[Diagnosis, Mapping[str, Curve]]],
    *,
    roles: Mapping[str, str] | None = None,
    checks: Sequence[Check] = (),
) -> str:
    """Several runs in one file, a section each, in the order given. checks: what came of each, to be told above it."""
    sections = [_section(index, *run, roles or {}) for index, run in enumerate(runs)]
    for section, check in zip(sections, checks, strict=False):
        section["name"] = words.plain(check.name)
        section["outcome"] = check.outcome
        section["reasons"] = [words.plain(reason.text) for reason in check.reasons]
        section["reasons"] += [words.plain(c.reason) for c in check.comparisons if c.relation in ("same", "better")]
    title = f"Curvewise: {sections[0]['name']}" if len(sections) == 1 else f"Curvewise: {len(sections)} runs"
    style, drawing, vega = _file("report.css"), _file("report.js"), script()
    policy = (
        f"default-src 'none'; script-src {_hash(vega)} {_hash(drawing)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return _template().render(
        title=title,
        policy=policy,
        style=style,
        vega=vega,
        script=drawing,
        themes=_json({"light": config("light"), "dark": config("dark")}),
        sections=sections,
    )


def _section(index: int, diagnosis: Diagnosis, curves: Mapping[str, Curve], roles: Mapping[str, str]) -> dict[str, Any]:
    told = audit(diagnosis)
    names = metrics(curves, roles)
    return {
        "id": f"run-{index}",
        "name": words.name(diagnosis) or "a run",
        "standing": words.standing(diagnosis),
        "counted": words.counted(diagnosis),
        "checked": f"{len(told.fine)} checked and fine, {len(told.unjudged)} not judged",
        "outcome": "",
        "reasons": [],
        "findings": [_finding(found) for found in told.findings],
        "fine": told.fine,
        "unjudged": told.alike(),
        "charts": [
            _figure(f"chart-{index}-{place}", diagnosis, curves, roles, name)
            for place, name in enumerate(names[:MOST_CHARTS])
        ],
    }


def _finding(found: Found) -> dict[str, Any]:
    finding = found.finding
    return {
        "severity": finding.severity,
        "sign": words.SIGNS[finding.severity],
        "code": finding.code,
        "rule": words.plain(finding.rule),
        "summary": words.plain(finding.summary),
        "gain": found.gain,
        "onset": words.step(finding.onset_step),
        "confidence": words.confidence(finding.confidence),
        "caused_by": finding.caused_by,
        "evidence": words.evidence(finding.evidence, most=len(finding.evidence)).splitlines(),
        "recommendations": [words.plain(r.text) for r in finding.recommendations],
        "action": found.action,
    }


def _figure(
    name: str, diagnosis: Diagnosis, curves: Mapping[str, Curve], roles: Mapping[str, str], metric: str
) -> dict[str, str]:
    """A chart for the script to draw, and for the first of a run its picture as well."""
    first = name.endswith("-0")
    spec = report_chart(diagnosis, curves, roles=roles, metric=metric, height=HEIGHT if first else _SMALL)
    picture = report_chart(diagnosis, curves, roles=roles, metric=metric, most=_PICTURE_POINTS) if first else None
    scale = ", on a logarithmic axis" if suits_log(curves, roles, metric) else ""
    return {
        "id": name,
        "description": str(spec["description"]),
        "caption": f"{words.plain(metric)}{scale}: every point faint, the smoothed course before it.",
        "picture": _data_url(svg(picture)) if picture else "",
        "spec": _json({key: value for key, value in spec.items() if key != "config"}),
    }


def _json(value: object) -> str:
    """JSON that cannot end the script element that it stands in: the template does not escape it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _data_url(picture: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(picture.encode()).decode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _file(name: str) -> str:
    return (files("app.reports") / "page" / name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(_file("report.html"))
