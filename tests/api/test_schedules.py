"""Schedules over HTTP: the lecture's formulas to the last digit, and a clear no to what cannot be meant."""

import math
from collections.abc import Callable

import httpx
import numpy as np
import pytest

from app.api.schedules import MOST_VALUES
from app.schedules.kinds import KINDS
from app.schedules.make import rates
from tests.api.asserts import assert_problem

PATH = "/api/v1/schedules"
LR, STEPS = 0.1, 100
LECTURE: dict[str, Callable[[int], float]] = {
    "constant": lambda _: LR,
    "step": lambda t: LR * 0.1 ** (t // 30),
    "cosine": lambda t: LR / 2 * (1 + math.cos(math.pi * t / STEPS)),
    "linear": lambda t: LR * (1 - t / STEPS),
    "inverse_sqrt": lambda t: LR / math.sqrt(max(t, 1)),
}


@pytest.mark.parametrize("kind", LECTURE)
def test_values_are_the_lectures(client: httpx.Client, kind: str) -> None:
    said = client.get(f"{PATH}/{kind}", params={"lr": LR, "steps": STEPS}).json()
    assert said["values"] == pytest.approx([LECTURE[kind](t) for t in range(STEPS)], rel=1e-14, abs=1e-17)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_as_it_is_listed(client: httpx.Client, kind: str) -> None:
    listed = {item["kind"]: item for item in client.get(PATH).json()["schedules"]}[kind]
    said = client.get(f"{PATH}/{kind}", params={"lr": LR, "steps": STEPS, "warmup": 10}).json()
    assert said["kind"] == kind
    assert said["values"] == rates(kind, LR, STEPS, warmup=10).tolist()
    assert list(said["parameters"]) == [parameter["name"] for parameter in listed["parameters"]]
    required = {p["name"] for p in listed["parameters"] if p["required"]}
    assert required == {"lr", "steps"}
    for parameter in listed["parameters"]:
        taken = said["parameters"][parameter["name"]]
        if isinstance(parameter["default"], float) and parameter["name"] != "warmup":
            assert taken == parameter["default"]
        assert parameter["unit"] in {"steps", "rate", "ratio", ""}
    # What was taken is what makes the same again.
    again = client.get(f"{PATH}/{kind}", params={k: v for k, v in said["parameters"].items() if v != [] or k != "at"})
    if kind != "step":
        assert again.json() == said


def test_defaults_that_depend_are_what_the_list_says(client: httpx.Client) -> None:
    for listed in client.get(PATH).json()["schedules"]:
        taken = client.get(f"{PATH}/{listed['kind']}", params={"lr": LR, "steps": STEPS}).json()["parameters"]
        for parameter in listed["parameters"]:
            if isinstance(parameter["default"], str) and parameter["unit"]:
                worked_out = eval(parameter["default"], {}, {"lr": LR, "steps": STEPS})
                assert taken[parameter["name"]] == pytest.approx(worked_out)


def test_cuts_at_given_steps(client: httpx.Client) -> None:
    said = client.get(f"{PATH}/step?lr=1&steps=6&factor=0.5&at=2&at=5").json()
    assert said["values"] == [1, 1, 0.5, 0.5, 0.5, 0.25]
    assert said["parameters"]["at"] == [2, 5]


def test_one_step_is_a_schedule(client: httpx.Client) -> None:
    for kind in KINDS:
        (value,) = client.get(f"{PATH}/{kind}?lr=0.1&steps=1").json()["values"]
        assert 0 < value <= 0.1


@pytest.mark.parametrize(
    ("asked", "where", "says"),
    [
        ("cosine?steps=100", "query.lr", "Field required"),
        ("cosine?lr=0.1", "query.steps", "Field required"),
        ("cosine?lr=nan&steps=100", "query.lr", "finite"),
        ("cosine?lr=inf&steps=100", "query.lr", "finite"),
        ("cosine?lr=-0.1&steps=100", "query.lr", "greater than 0"),
        ("cosine?lr=0&steps=100", "query.lr", "greater than 0"),
        ("cosine?lr=fast&steps=100", "query.lr", "valid number"),
        ("cosine?lr=0.1&steps=0", "query.steps", "greater than or equal to 1"),
        ("cosine?lr=0.1&steps=-5", "query.steps", "greater than or equal to 1"),
        ("cosine?lr=0.1&steps=1.5", "query.steps", "valid integer"),
        ("cosine?lr=0.1&steps=1e99", "query.steps", ""),
        ("cosine?lr=0.1&steps=99999999999999999999999", "query.steps", "less than or equal"),
        (f"cosine?lr=0.1&steps={MOST_VALUES + 1}", "query.steps", "at most 100000 values"),
        ("cosine?lr=0.1&steps=100&warmup=100", "query", "leaves none of 100"),
        ("cosine?lr=0.1&steps=100&warmup=nan", "query.warmup", "finite"),
        ("cosine?lr=0.1&steps=100&warmup=-1", "query.warmup", "greater than or equal to 0"),
        ("cosine?lr=0.1&steps=100&min_lr=0.2", "query", "above lr"),
        ("cosine?lr=0.1&steps=100&gamma=0.5", "query.gamma", "no such"),
        ("cosine?lr=0.1&steps=100&factor=0.5", "query.factor", "no such"),
        ("cosine?lr=0.1&lr=0.2&steps=100", "query.lr", "more than once"),
        ("step?lr=0.1&steps=100&factor=0", "query.factor", "greater than 0"),
        ("step?lr=0.1&steps=100&factor=2", "query.factor", "less than or equal to 1"),
        ("step?lr=0.1&steps=100&every=0", "query.every", "greater than or equal to 1"),
        ("step?lr=0.1&steps=100&at=5&at=5", "query", "later than the one before"),
        ("step?lr=0.1&steps=100&at=5&warmup=5", "query", "not after the warm-up"),
        ("step?lr=0.1&steps=100&at=5&every=5", "query", "not both"),
        ("step?lr=0.1&steps=100&" + "&".join(f"at={k}" for k in range(1, 102)), "query.at", "at most 100"),
        ("one_cycle?lr=0.1&steps=100&start_lr=1", "query", "start_lr"),
        ("warmup_stable_decay?lr=0.1&steps=100&warmup=50&decay=60", "query", "do not fit"),
        ("warmup_stable_decay?lr=0.1&steps=100&shape=zigzag", "query.shape", "'linear'"),
        ("cosine_restarts?lr=0.1&steps=100&cycle=0.5", "query.cycle", "greater than or equal to 1"),
        ("cosine_restarts?lr=0.1&steps=100&growth=11", "query.growth", "less than or equal to 10"),
        ("parabola?lr=0.1&steps=100", "path.kind", "'cosine'"),
    ],
)
def test_what_cannot_be_meant_is_a_problem(client: httpx.Client, asked: str, where: str, says: str) -> None:
    document = assert_problem(client.get(f"{PATH}/{asked}"), 422, "invalid-input")
    detail = str(document["detail"])
    assert detail.startswith(f"{where}: ")
    assert says in detail


def test_nothing_else_is_named_where_one_parameter_is_wrong(client: httpx.Client) -> None:
    document = client.get(f"{PATH}/one_cycle?lr=0.1&steps=0").json()
    assert [error["where"] for error in document["errors"]] == ["query.steps"]


def test_the_longest_reply_is_made(client: httpx.Client) -> None:
    values = client.get(f"{PATH}/cosine", params={"lr": LR, "steps": MOST_VALUES}).json()["values"]
    assert np.array_equal(values, rates("cosine", LR, MOST_VALUES))


def logged(client: httpx.Client, run: str, values: list[float], first: int = 0, name: str = "lr") -> None:
    steps = list(range(first, first + len(values)))
    sent = client.post(f"{run}/points", json={"curves": {name: {"steps": steps, "values": values}}})
    assert sent.status_code == 200


@pytest.mark.parametrize("name", ["lr", "learning_rate", "lr-Adam"])
def test_a_runs_schedule_is_told_in_the_words_that_make_it(client: httpx.Client, run: str, name: str) -> None:
    made = client.get(f"{PATH}/cosine?lr=0.1&steps=200&warmup=20").json()
    logged(client, run, made["values"][:150], first=1, name=name)
    said = client.get(f"{run}/schedule").json()
    assert (said["kind"], said["warmup_end"]) == ("cosine", 21)
    assert said["fit_error"] < 1e-3
    remade = said["remade"]
    assert (remade["kind"], remade["first_step"]) == ("cosine", 1)
    assert remade["parameters"] == pytest.approx(made["parameters"], abs=1e-6)
    assert remade["error"] < 1e-6


def test_a_rate_that_nothing_makes_has_no_parameters(client: httpx.Client, run: str) -> None:
    logged(client, run, [0.1 * (1 - t / 100) ** 2 for t in range(100)])
    said = client.get(f"{run}/schedule").json()
    assert (said["kind"], said["remade"]) == ("unknown", None)


@pytest.mark.parametrize("values", [None, [0.1]])
def test_without_a_rate_it_is_said_what_to_log(client: httpx.Client, run: str, values: list[float] | None) -> None:
    if values:
        logged(client, run, values)
    document = assert_problem(client.get(f"{run}/schedule"), 404, "unknown-curve")
    assert "log it at each update as `lr`" in str(document["detail"])


def test_a_rate_of_not_a_number_is_none(client: httpx.Client, run: str) -> None:
    body = '{"curves": {"lr": {"steps": [0, 1, 2], "values": [NaN, Infinity, 0.1]}}}'
    assert client.post(f"{run}/points", content=body).status_code == 200
    assert_problem(client.get(f"{run}/schedule"), 404, "unknown-curve")


def test_runs_that_are_not_there_have_no_schedule(client: httpx.Client, project: str, run: str) -> None:
    assert_problem(client.get(f"{run}x/schedule"), 404, "unknown-run")
    assert_problem(client.get(f"{project}x/runs/r/schedule"), 404, "unknown-project")
