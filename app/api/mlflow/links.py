"""The links that MLflow's clients print: `View run ... at: {tracking uri}/#/experiments/1/runs/0a1b...`.

What stands behind `#` never reaches a server, so the page at the tracking URI reads it in the browser and asks for a
path of its own, which leads to the page of the run or of its project here.
"""

from base64 import b64encode
from hashlib import sha256
from urllib.parse import quote

from anyio import to_thread
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.api.mlflow.tracking import tracking

_SCRIPT = r"""
const found = /^#\/experiments\/(\d+)(?:\/runs\/([0-9a-f]+))?/.exec(location.hash);
location.replace(!found ? "../" : found[2] ? `runs/${found[2]}` : `experiments/${found[1]}`);
"""
_PAGE = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Curvewise</title>
<p>This is where MLflow's clients log to. <a href="../">What they logged</a> is on the pages of Curvewise.</p>
<script>{_SCRIPT}</script></html>
"""
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; script-src 'sha256-"
    f"{b64encode(sha256(_SCRIPT.encode()).digest()).decode()}'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


async def follow(_request: Request) -> Response:
    """The page that reads a link."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


async def to_run(request: Request) -> Response:
    """From MLflow's id of a run to its page here."""
    found = await to_thread.run_sync(tracking(request).runs.get, request.path_params["run_id"])
    return RedirectResponse(f"../../projects/{_part(found.experiment.project)}/runs/{_part(found.run.name)}", 302)


async def to_project(request: Request) -> Response:
    """From MLflow's id of an experiment to the page of its project here."""
    found = await to_thread.run_sync(tracking(request).experiments.get, request.path_params["experiment_id"])
    return RedirectResponse(f"../../projects/{_part(found.project)}", 302)


def _part(name: str) -> str:
    """One part of a path, relative to this one: a proxy may put any prefix before both."""
    return quote(name, safe="")
