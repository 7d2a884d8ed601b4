import json
import math

import httpx
import pytest

from tests.api.asserts import assert_problem

COUNT = 5000


@pytest.fixture
def long_run(client: httpx.Client, run: str) -> str:
    values: list[object] = [math.sin(step / 50) for step in range(COUNT)]
    values[1234], values[4321] = 7.0, "NaN"
    for start in range(0, COUNT, 2500):
        column = {"steps": list(range(start, start + 2500)), "values": values[start : start + 2500]}
        assert client.post(f"{run}/points", json={"curves": {"x": column, "y": column}}).status_code == 200
    return run


def test_full_resolution_is_the_default(client: httpx.Client, long_run: str) -> None:
    curves = client.get(f"{long_run}/curves").json()["curves"]
    assert {name: len(curve["steps"]) for name, curve in curves.items()} == {"x": COUNT, "y": COUNT}


def test_thinned_curves_keep_ends_extremes_and_what_is_not_finite(client: httpx.Client, long_run: str) -> None:
    full = client.get(f"{long_run}/curves").json()["curves"]["x"]
    reply = client.get(f"{long_run}/curves", params={"max_points": 100})
    assert reply.text == client.get(f"{long_run}/curves", params={"max_points": 100}).text
    thin = reply.json()["curves"]["x"]
    points = list(zip(thin["steps"], thin["values"], strict=True))
    assert len(points) <= 100
    assert set(points) <= set(zip(full["steps"], full["values"], strict=True))
    assert {(0, 0.0), (1234, 7.0), (4321, "NaN"), (4999, full["values"][-1])} <= set(points)


def test_curves_are_chosen_by_name(client: httpx.Client, long_run: str) -> None:
    for names in (["x"], ["y", "x"], ["y", "y"]):
        curves = client.get(f"{long_run}/curves", params={"name": names}).json()["curves"]
        assert set(curves) == set(names)
    assert_problem(client.get(f"{long_run}/curves", params={"name": ["x", "z"]}), 404, "unknown-curve")
    assert client.get(f"{long_run}/curves", params={"name": "\x00"}).status_code in {404, 422}


@pytest.mark.parametrize("max_points", ["0", "7", "-1", "1e9", "9" * 40, "nan"])
def test_a_max_points_that_is_none_is_refused(client: httpx.Client, run: str, max_points: str) -> None:
    assert_problem(client.get(f"{run}/curves", params={"max_points": max_points}), 422, "invalid-input")


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_a_stretch_is_read_in_full_and_thinned_only_where_it_is_too_long(
    client: httpx.Client, long_run: str, form: str
) -> None:
    def read(**params: object) -> list[tuple[float, object]]:
        reply = client.get(f"{long_run}/curves", params={"name": "x", "format": form, **params})
        assert reply.status_code == 200, reply.text
        if form == "json":
            parts = [reply.json()["curves"]["x"]]
        else:
            parts = [json.loads(line) for line in reply.text.splitlines()]
        return [pair for part in parts for pair in zip(part["steps"], part["values"], strict=True)]

    full = read()
    assert read(first_step=1200, last_step=2600) == full[1200:2601]  # over the seam of two batches, both ends included
    assert read(first_step=1200.5, last_step=1201) == full[1201:1202]
    assert read(last_step=10, max_points=50) == full[:11]
    assert read(first_step=4990) == full[4990:]
    assert read(first_step=5000) == []
    thin = read(first_step=1000, last_step=2000, max_points=100)
    assert len(thin) <= 100
    assert {full[1000], full[1234], full[2000]} <= set(thin) <= set(full[1000:2001])


def test_a_stretch_that_is_none_is_refused(client: httpx.Client, long_run: str) -> None:
    for params in ({"first_step": "nan"}, {"last_step": "-1"}, {"first_step": "x"}, {"first_step": 2, "last_step": 1}):
        assert_problem(client.get(f"{long_run}/curves", params=params), 422, "invalid-input")
