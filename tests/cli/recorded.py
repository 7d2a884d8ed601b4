"""Recorded runs in a store, as their jobs would have left them there."""

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import httpx

from app.curves.points import Points
from app.demo.replay import recorded_runs
from app.nouns import RunUpdate
from app.service import make_service
from app.settings import Settings

RUNS = {run.name: run for run in recorded_runs()}


def send(client: httpx.Client, project: str, run: str, recorded: str, state: str = "finished", **facts: object) -> None:
    """Open a run on a server with these facts (tags, commit), send its points, and close it unless it runs on."""
    path = f"/api/v1/projects/{quote(project, safe='')}/runs/{quote(run, safe='')}"
    curves = {n: {"steps": c.steps.tolist(), "values": c.values.tolist()} for n, c in RUNS[recorded].curves.items()}
    told = {"context": {"num_classes": 10, "planned_steps": RUNS[recorded].context.planned_steps}, **facts}
    json_type = {"Content-Type": "application/json"}
    client.put(path, json=told).raise_for_status()
    client.post(f"{path}/points", content=json.dumps({"curves": curves}), headers=json_type).raise_for_status()
    if state != "running":
        client.post(f"{path}/finish", json={"state": state}).raise_for_status()


def store(database_url: str, project: str, run: str, recorded: str, **facts: object) -> None:
    """The same, straight into a database."""

    async def put() -> None:
        service = make_service(Settings(database_url=database_url))
        await service.start()
        service.open_run(project, run, RunUpdate(num_classes=10, **facts))
        points = [Points(name, curve.steps, curve.values) for name, curve in RUNS[recorded].curves.items()]
        await service.record(project, run, points, None)
        service.close_run(project, run, "finished")
        await service.close()

    asyncio.run(put())


def write(path: Path, recorded: str) -> Path:
    """The losses as the CSV that its job would have written."""
    curves = RUNS[recorded].curves
    train, val = curves["train/loss"], curves["val/loss"]
    lines = ["step,loss,val_loss"]
    lines += [f"{step:g},{value!r}," for step, value in zip(train.steps, train.values.tolist(), strict=True)]
    lines += [f"{step:g},,{value!r}" for step, value in zip(val.steps, val.values.tolist(), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path
