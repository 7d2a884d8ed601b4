"""The formats in which a stored run's diagnosis is answered, beside JSON."""

from collections.abc import Mapping
from typing import Literal

from fastapi.responses import Response

from app.api.body import JSON
from app.api.negotiation import MARKDOWN
from app.api.wire import reply
from app.checks.check import check
from app.checks.target import target_of
from app.curves.curve import Curve
from app.diagnosis import Diagnosis
from app.nouns import Run
from app.reports import html, junit, markdown, pictures, sarif
from app.reports.chart import report_chart
from app.reports.points import MOST_POINTS
from app.service import Service

HTML = "text/html"
SVG = "image/svg+xml"

JUNIT = "application/xml"
SARIF = "application/sarif+json"

Format = Literal["json", "markdown", "html", "svg", "junit", "sarif"]
FORMATS: Mapping[Format, str] = {
    "json": JSON,
    "markdown": MARKDOWN,
    "html": HTML,
    "svg": SVG,
    "junit": JUNIT,
    "sarif": SARIF,
}
# Names and tags are a stranger's: a browser is to run nothing, load nothing, and not take one type for another.
_SHOWN = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_INERT = {**_SHOWN, "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def answer(
    service: Service,
    project: str,
    run: str,
    diagnosis: Diagnosis,
    chosen: Format,
    at_step: float | None,
    headers: Mapping[str, str],
) -> Response:
    """The diagnosis in the format that was chosen. For html and svg the curves are read, thinned to what is seen.

    An HTML report carries its policy itself: the hashes of the two scripts that may run. junit and sarif tell it as a
    check that fails where a finding is an error, or the job failed.
    """
    if chosen == "json":
        return reply(diagnosis, 200, headers)
    if chosen == "markdown":
        return Response(markdown.render(diagnosis), 200, dict(headers), MARKDOWN)
    stored = service.get_run(project, run)
    if chosen in ("junit", "sarif"):
        render = junit.render if chosen == "junit" else sarif.render
        checked = check(target_of(project, run, stored.tags), diagnosis)
        return Response(render([checked]), 200, {**headers, **_SHOWN}, FORMATS[chosen])
    roles = service.get_project(project).roles
    curves = _curves(service, stored, at_step, every=chosen == "html")
    if chosen == "html":
        return Response(html.render(diagnosis, curves, roles=roles), 200, {**headers, **_SHOWN}, HTML)
    return Response(pictures.svg(report_chart(diagnosis, curves, roles=roles)), 200, {**headers, **_INERT}, SVG)


def _curves(service: Service, run: Run, at_step: float | None, *, every: bool) -> Mapping[str, Curve]:
    """Those that have a role, and where `every` is meant as many of the others as a report shows."""
    others = [curve.name for curve in run.curves if not curve.role][: html.MOST_CHARTS if every else 0]
    names = [curve.name for curve in run.curves if curve.role] + others
    if not names:
        return {}
    return service.read_curves(run.project, run.run, names=names, max_points=2 * MOST_POINTS, last_step=at_step)
