import json
import threading
from collections.abc import Sequence

import httpx
import pytest

from tests.api.asserts import assert_problem

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


def columns(**curves: tuple[Sequence[object], Sequence[object]]) -> dict[str, object]:
    return {"curves": {name: {"steps": steps, "values": values} for name, (steps, values) in curves.items()}}


def stored(client: httpx.Client, run: str) -> dict[str, dict[str, list[object]]]:
    found: dict[str, dict[str, list[object]]] = client.get(f"{run}/curves").json()["curves"]
    return found


def test_columns_rows_and_lines_say_the_same(client: httpx.Client, project: str) -> None:
    sent = {
        "columns": (json.dumps({"curves": {"loss": {"steps": [1, 2], "values": [0.5, 0.25]}}}), JSON),
        "rows": (json.dumps({"points": [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}]}), JSON),
        "lines": ('{"step": 1, "loss": 0.5}\n\n{"step": 2, "loss": 0.25}', NDJSON),
    }
    for name, (body, headers) in sent.items():
        run = f"{project}/runs/{name}"
        client.put(run)
        reply = client.post(f"{run}/points", content=body, headers=headers)
        assert reply.json() == {"accepted": 2, "rejected": [], "not_measured": 0}
        assert stored(client, run) == {"loss": {"steps": [1, 2], "values": [0.5, 0.25]}}


EDGES = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 2.0**53, 1e22, 123456789.123456789, -1e-300]


def test_every_float_comes_back_as_it_went_in(client_on_each: httpx.Client, run_on_each: str) -> None:
    steps = [0, 0.5, 1e-9 + 1, 3, 4, 5, 6, 7, 2**53]
    assert client_on_each.post(f"{run_on_each}/points", json=columns(x=(steps, EDGES))).json()["accepted"] == 9
    curve = stored(client_on_each, run_on_each)["x"]
    assert curve["steps"] == steps
    assert [str(value) for value in curve["values"]] == [str(value) for value in EDGES]


def test_non_finite_values_are_read_as_tokens_and_as_strings_and_leave_as_strings(
    client_on_each: httpx.Client, run_on_each: str
) -> None:
    tokens = '{"curves": {"x": {"steps": [1, 2, 3, 4], "values": [NaN, Infinity, -Infinity, 0.5]}}}'
    strings = '{"points": [{"step": 5, "x": "NaN"}, {"step": 6, "x": "Infinity"}, {"step": 7, "x": "-Infinity"}]}'
    lines = '{"step": 8, "x": NaN}\n{"step": 9, "x": "-inf"}'
    for body, headers, count in ((tokens, JSON, 4), (strings, JSON, 3), (lines, NDJSON, 2)):
        assert client_on_each.post(f"{run_on_each}/points", content=body, headers=headers).json()["accepted"] == count
    reply = client_on_each.get(f"{run_on_each}/curves")
    words = ["NaN", "Infinity", "-Infinity"]
    expected = {"x": {"steps": [1, 2, 3, 4, 5, 6, 7, 8, 9], "values": [*words, 0.5, *words, "NaN", "-Infinity"]}}
    assert json.loads(reply.text, parse_constant=pytest.fail) == {"curves": expected}


def test_a_bad_point_costs_only_itself_and_is_named(client: httpx.Client, run: str) -> None:
    body = columns(
        a=([1, 2, -3, 4, "5", None, 1e400, 2**53 + 1, True], [1, None, 3, "x", 5, 6, 7, 8, 9]),
        b=([1, 2], [10**400, 2**53 + 1]),
        c=([1], [1.5]),
    )
    body["curves"]["d"] = {"steps": [1, 2], "values": [1]}  # type: ignore[index]
    body["curves"]["n\x00"] = {"steps": [1], "values": [1]}  # type: ignore[index]
    reply = client.post(f"{run}/points", content=json.dumps(body))
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    assert (answer["accepted"], answer["not_measured"]) == (2, 1)
    assert [(r["curve"], r["index"], r["code"]) for r in answer["rejected"]] == [
        ("a", 2, "step_negative"),
        ("a", 3, "value_not_a_number"),
        ("a", 4, "step_not_a_number"),
        ("a", 5, "step_missing"),
        ("a", 6, "step_not_finite"),
        ("a", 7, "step_too_large"),
        ("a", 8, "step_not_a_number"),
        ("b", 0, "value_out_of_range"),
        ("b", 1, "value_out_of_range"),
        ("d", 0, "lengths_differ"),
        ("d", 1, "lengths_differ"),
        ("n\\x00", 0, "name_invalid"),
    ]
    assert stored(client, run) == {"a": {"steps": [1], "values": [1]}, "c": {"steps": [1], "values": [1.5]}}


def test_a_bad_row_costs_only_itself(client: httpx.Client, run: str) -> None:
    rows = [{"step": 1, "a": 1}, 5, {"a": 2}, {"step": 4, "a": "high", "b": 3}, {"step": 5, "a": None}]
    answer = client.post(f"{run}/points", json={"points": rows}).json()
    assert (answer["accepted"], answer["not_measured"]) == (2, 1)
    assert [(r["index"], r["curve"], r["code"]) for r in answer["rejected"]] == [
        (1, None, "row_not_an_object"),
        (2, None, "step_missing"),
        (3, "a", "value_not_a_number"),
    ]


def test_a_torn_line_costs_only_itself_and_is_named_by_its_line(client: httpx.Client, run: str) -> None:
    lines = '{"step": 1, "a": 1}\r\n\n{"step": 2, "a"\n{"step": -1, "a": 1}\n"\\ud800"\n\xff\n{"step": 3, "a": 3}\n{"st'
    answer = client.post(f"{run}/points", content=lines.encode("latin-1"), headers=NDJSON).json()
    assert answer["accepted"] == 2
    assert [(r["index"], r["code"]) for r in answer["rejected"]] == [
        (2, "unreadable_line"),
        (3, "step_negative"),
        (4, "unreadable_line"),
        (5, "unreadable_line"),
        (7, "unreadable_line"),
    ]


def test_when_every_point_is_refused_the_reply_is_a_problem_that_names_them(client: httpx.Client, run: str) -> None:
    problem = assert_problem(client.post(f"{run}/points", json=columns(a=([-1], [1]))), 422, "points-refused")
    assert problem["rejected"] == [{"index": 0, "curve": "a", "code": "step_negative", "reason": "a step is 0 or more"}]
    assert "point 0 of a" in str(problem["detail"])
    assert stored(client, run) == {}


def test_a_refused_row_names_no_curve(client: httpx.Client, run: str) -> None:
    problem = assert_problem(client.post(f"{run}/points", json={"points": [{"a": 1}]}), 422, "points-refused")
    assert problem["rejected"] == [
        {"index": 0, "curve": None, "code": "step_missing", "reason": "the point has no step"}
    ]


def test_a_batch_without_a_measured_point_is_no_error(client: httpx.Client, run: str) -> None:
    for body, unmeasured in ((columns(a=([1, 2], [None, None])), 2), (columns(), 0), ({"points": []}, 0)):
        reply = client.post(f"{run}/points", json=body)
        assert reply.status_code == 200
        assert reply.json() == {"accepted": 0, "rejected": [], "not_measured": unmeasured}


def test_points_of_a_run_that_was_not_opened_are_refused(client: httpx.Client, run: str) -> None:
    for body in (columns(a=([1], [1])), columns(a=([1], [None]))):
        problem = assert_problem(client.post(f"{run[:-1]}other/points", json=body), 404, "unknown-run")
        assert "other" in str(problem["detail"])
        assert_problem(client.post("/api/v1/projects/nobodys/runs/r/points", json=body), 404, "unknown-project")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("[]", "body"),
        ("5", "body"),
        ("{}", "body"),
        ('{"curves": {}, "points": []}', "body"),
        ('{"curves": {}, "extra": 1}', "body.extra"),
        ('{"curves": []}', "body.curves"),
        ('{"curves": {"a": 1}}', "body.curves.a"),
        ('{"curves": {"a": {"steps": 1, "values": [1]}}}', "body.curves.a.steps"),
        ('{"curves": {"a": {"steps": [1]}}}', "body.curves.a.values"),
        ('{"curves": {"a": {"steps": [1], "values": [1], "x": 1}}}', "body.curves.a.x"),
        ('{"curves": {}, "attempt": 0}', "body.attempt"),
        ('{"curves": {}, "attempt": 2147483648}', "body.attempt"),
        ('{"curves": {}, "attempt": 1.5}', "body.attempt"),
        ('{"points": {}}', "body.points"),
    ],
)
def test_json_of_another_shape_is_refused_by_its_place(client: httpx.Client, run: str, body: str, where: str) -> None:
    problem = assert_problem(client.post(f"{run}/points", content=body), 422, "invalid-input")
    assert where in [error["where"] for error in problem["errors"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body",
    [b"", b" \n", b"{", b'{"curves": ', b"\x00", b"\xff\xfe", b'{"curves": {"\\ud800": {}}}', b"[" * 200_000],
    ids=["empty", "blank", "torn", "cut", "nul", "bytes", "surrogate", "nested"],
)
@pytest.mark.parametrize("headers", [JSON, NDJSON], ids=["json", "ndjson"])
def test_a_body_that_is_not_readable_at_all_is_400(
    client: httpx.Client, run: str, body: bytes, headers: dict[str, str]
) -> None:
    assert_problem(client.post(f"{run}/points", content=body, headers=headers), 400, "unreadable-body")


def test_every_refused_point_is_listed(client: httpx.Client, run: str) -> None:
    body = columns(a=([-1] * 12_000 + [1], [1] * 12_001))
    answer = client.post(f"{run}/points", json=body).json()
    assert answer["accepted"] == 1
    assert [one["index"] for one in answer["rejected"]] == list(range(12_000))


def test_a_later_attempt_hides_the_earlier_one_from_its_first_step(
    client_on_each: httpx.Client, run_on_each: str
) -> None:
    points = f"{run_on_each}/points"
    client_on_each.post(points, json=columns(loss=([1, 2, 3, 4], [1, 2, 3, 4])))
    client_on_each.post(points, json={**columns(loss=([3], [30])), "attempt": 2})
    assert stored(client_on_each, run_on_each) == {"loss": {"steps": [1, 2, 3], "values": [1, 2, 30]}}
    client_on_each.post(points, content='{"step": 2, "loss": 200}', headers=NDJSON, params={"attempt": 3})
    assert stored(client_on_each, run_on_each) == {"loss": {"steps": [1, 2], "values": [1, 200]}}
    assert client_on_each.get(run_on_each).json()["attempt"] == 3


def test_the_attempt_is_said_once(client: httpx.Client, run: str) -> None:
    body = {**columns(a=([1], [1])), "attempt": 2}
    assert_problem(client.post(f"{run}/points", json=body, params={"attempt": 1}), 422, "invalid-input")
    assert client.post(f"{run}/points", json=body, params={"attempt": 2}).status_code == 200
    assert_problem(client.post(f"{run}/points", json=body, params={"attempt": "10" * 30}), 422, "invalid-input")


def test_a_batch_that_is_sent_again_in_any_order_changes_nothing(client: httpx.Client, run: str) -> None:
    batches = [columns(loss=([step], [value])) for step, value in ((3, 0.3), (1, 0.1), (2, "NaN"))]
    for body in (*batches, *batches[::-1]):
        client.post(f"{run}/points", json=body)
    assert stored(client, run) == {"loss": {"steps": [1, 2, 3], "values": [0.1, "NaN", 0.3]}}


def test_many_writers_of_one_run_lose_nothing(client_on_each: httpx.Client, run_on_each: str) -> None:
    def write(writer: int) -> None:
        for step in range(20):
            reply = client_on_each.post(f"{run_on_each}/points", json=columns(**{f"w{writer}": ([step], [step])}))
            replies.append(reply.status_code)

    replies: list[int] = []
    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    assert replies == [200] * 120
    curves = stored(client_on_each, run_on_each)
    assert {name: len(curve["steps"]) for name, curve in curves.items()} == {f"w{n}": 20 for n in range(6)}


def test_names_that_only_look_dangerous_are_stored(client_on_each: httpx.Client, run_on_each: str) -> None:
    names = ["a/b", "%00", "'; DROP TABLE runs; --", "損失", "😀", " ", "a" * 250, "__proto__"]
    body = {"curves": {name: {"steps": [1], "values": [1]} for name in names}}
    assert client_on_each.post(f"{run_on_each}/points", json=body).json()["accepted"] == len(names)
    assert set(stored(client_on_each, run_on_each)) == set(names)
    assert client_on_each.get(f"{run_on_each}/diagnosis").status_code == 200
