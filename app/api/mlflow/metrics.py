"""Metrics: in, and every value of one back out."""

from collections.abc import Iterable, Mapping

import numpy as np
from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError

from app.api.body import off_loop, read_body, validate
from app.api.mlflow import messages
from app.api.mlflow.answers import INVALID, refusal
from app.api.mlflow.filters import page
from app.api.mlflow.tracking import tracking
from app.api.wire import reply
from app.errors import InvalidInput
from app.storage.histories import History

_TOLD = 20  # refused metrics that the message names
_PLAIN = TypeAdapter(list[messages.PlainMetric])
_Row = tuple[str, float | str, int, int]  # metric, value, timestamp [ms since 1970], step


class _One(messages.OfRun, messages.Metric):
    """runs/log-metric."""


async def log_metric(request: Request) -> Response:
    """runs/log-metric."""
    said = await messages.read(request, _One)
    await tracking(request).runs.record(said.run, _by_metric([_row(said)]))
    return reply({})


async def log_batch(request: Request) -> Response:
    """runs/log-batch: what is right of it is stored, and the reply says what was not."""
    body = await read_body(request)
    said, metrics, refused = await off_loop(request, body, lambda: _read(body))
    runs = tracking(request).runs
    if metrics:
        await runs.record(said.run, metrics)
    if said.params or said.tags or not metrics:
        params, tags = ({one.key: one.value for one in pairs} for pairs in (said.params, said.tags))
        try:
            refused += await to_thread.run_sync(runs.describe, said.run, params, tags)
        except InvalidInput as error:
            refused.append(str(error))
    if refused:
        more = f"; and {len(refused) - _TOLD} more" if len(refused) > _TOLD else ""
        return refusal(INVALID, f"{'; '.join(refused[:_TOLD])}{more}. Everything else of this batch is stored.")
    return reply({})


async def get_history(request: Request) -> Response:
    """metrics/get-history, all at once or a page at a time."""
    said = await messages.read(request, messages.History)
    found = await to_thread.run_sync(tracking(request).runs.history, said.run, said.metric_key)
    begin, end, token = page(range(len(found)), said.page_token, said.max_results or max(len(found), 1))
    columns = (column[begin:end].tolist() for column in (found.values, found.timestamps, found.steps))
    listed = [
        {"key": said.metric_key, "value": value, "timestamp": int(timestamp), "step": int(step)}
        for value, timestamp, step in zip(*columns, strict=True)
    ]
    return reply({"metrics": listed, **({"next_page_token": token} if token else {})})


def _read(body: bytes) -> tuple[messages.LogBatch, Mapping[str, History], list[str]]:
    said = validate(messages.LogBatch, body)
    try:
        plain = _PLAIN.validate_python(said.metrics)
    except ValidationError:
        plain = []
    if plain and not any(map(messages.key_problem, {one.key for one in plain})):
        return said, _by_metric(map(_row, plain)), []
    taken, refused = [], []
    for index, raw in enumerate(said.metrics):
        try:
            taken.append(_row(messages.Metric.model_validate(raw)))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(["metrics", str(index), *map(str, first["loc"])])
            refused.append(f"{where}: {first['msg'].removeprefix('Value error, ')}")
    return said, _by_metric(taken), refused


def _row(said: messages.Metric | messages.PlainMetric) -> _Row:
    return said.key, said.value, said.timestamp, said.step


def _by_metric(rows: Iterable[_Row]) -> dict[str, History]:
    by_key: dict[str, list[_Row]] = {}
    for row in rows:
        by_key.setdefault(row[0], []).append(row)
    return {
        # float64 reads "NaN" and "Infinity" as JSON has them.
        key: History(*(np.array(column, dtype=np.float64) for column in list(zip(*found, strict=True))[1:]))
        for key, found in by_key.items()
    }
