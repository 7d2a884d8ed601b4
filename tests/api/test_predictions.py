"""Checkpoints to keep, predictions in, and what averaging them gains, over HTTP."""

import gzip
import io
import zipfile
from contextlib import suppress
from typing import Any

import httpx
import numpy as np
import pytest
from zstandard import ZstdCompressor

from app.api.npz import read_npz
from app.ensembles.predictions import Array
from app.errors import CurvewiseError, TooLarge
from app.settings import Settings
from tests.api.asserts import assert_problem
from tests.api.conftest import MAX_BODY_BYTES, serving


def problem(response: httpx.Response, status: int, name: str) -> str:
    return str(assert_problem(response, status, name)["detail"])


NPZ = {"Content-Type": "application/x-npz"}
RNG = np.random.default_rng(0)
TARGETS = RNG.integers(0, 3, size=200)
SHARED = RNG.normal(size=(200, 3))


def savez(**arrays: Any) -> bytes:
    written = io.BytesIO()
    np.savez(written, **arrays)
    return written.getvalue()


def logits(seed: int, *, gain: float = 2.0) -> Array:
    return gain * np.eye(3)[TARGETS] + SHARED + 1.5 * np.random.default_rng([seed, 7]).normal(size=(200, 3))


def member(seed: int) -> bytes:
    return savez(logits=logits(seed).astype(np.float32), targets=TARGETS)


def send_val(client: httpx.Client, run: str, *, cyclic: bool = False) -> None:
    steps = np.arange(0.0, 1000, 10)
    val = 1 + np.exp(-steps / 100) + np.clip(steps - 600, 0, None) / 500
    curves: dict[str, Any] = {
        "val/loss": {"steps": steps.tolist(), "values": (val + 0.01 * RNG.normal(size=100)).tolist()},
        "val/accuracy": {"steps": steps.tolist(), "values": (1 - val / 3).tolist()},
        "bleu": {"steps": steps.tolist(), "values": (steps / 1000).tolist()},
    }
    if cyclic:
        rate = 0.05 * (1 + np.cos(np.pi * (np.arange(1000) % 250) / 250))
        curves["lr"] = {"steps": np.arange(1000).tolist(), "values": rate.tolist()}
    assert client.post(f"{run}/points", json={"curves": curves}).status_code == 200


def test_the_checkpoint_to_keep_and_those_to_average(client: httpx.Client, run: str) -> None:
    send_val(client, run, cyclic=True)
    found = client.get(f"{run}/checkpoints").json()
    assert (found["metric"], found["goal"], found["missing"]) == ("val/loss", "min", None)
    assert 300 <= found["keep"]["step"] <= found["keep"]["best_step"] <= 650
    assert found["keep"]["best_step"] in found["keep"]["equivalents"]
    assert f"step {found['keep']['step']:g}" in found["says"]
    assert {one["name"] for one in found["evidence"]} == {"behind_best", "noise", "evaluations"}
    assert found["average"]["how"] == "cycle_ends"
    assert found["average"]["steps"] == [249, 499, 749, 999]


def test_it_agrees_with_the_diagnosis(client: httpx.Client, run: str) -> None:
    steps = np.arange(0.0, 1000, 10)
    send_val(client, run)
    train = {"train/loss": {"steps": steps.tolist(), "values": np.exp(-steps / 150).tolist()}}
    client.post(f"{run}/points", json={"curves": train})
    client.post(f"{run}/finish")
    diagnosis = client.get(f"{run}/diagnosis").json()
    (overfitting,) = [v for v in diagnosis["verdicts"] if v["rule"] == "overfitting"]
    keep = client.get(f"{run}/checkpoints").json()["keep"]
    args = overfitting["recommendations"][0]["args"]
    assert (args["earliest_step"], args["best_step"]) == (keep["step"], keep["best_step"])
    assert overfitting["onset_step"] == keep["best_step"]


def test_other_metrics_and_only_some_checkpoints(client: httpx.Client, run: str) -> None:
    send_val(client, run)
    asked = {"metric": "val/accuracy", "steps": [100, 590, 900, 5000]}
    found = client.get(f"{run}/checkpoints", params=asked).json()
    assert (found["goal"], found["keep"]["step"], found["not_judged"]) == ("max", 590, [5000])
    bleu = client.get(f"{run}/checkpoints", params={"metric": "bleu", "goal": "max"}).json()
    assert bleu["keep"]["best_step"] == pytest.approx(990, abs=40)
    problem(client.get(f"{run}/checkpoints", params={"metric": "bleu"}), 422, "invalid-input")
    missing = client.get(f"{run}/checkpoints", params={"metric": "val/bleu", "goal": "max"}).json()
    assert (missing["keep"], missing["missing"]) == (None, "val/bleu was not logged: log it at every checkpoint")
    for wrong in ({"steps": "x"}, {"steps": -1}, {"steps": "nan"}, {"goal": "up"}, {"metric": ""}):
        problem(client.get(f"{run}/checkpoints", params=wrong), 422, "invalid-input")


def test_a_run_without_curves_is_told_what_to_log(client: httpx.Client, run: str) -> None:
    found = client.get(f"{run}/checkpoints").json()
    assert found["keep"] is None
    assert found["says"] == found["missing"] == "val/loss was not logged: log it at every checkpoint"
    assert found["average"]["how"] is None


def test_predictions_are_kept_replaced_listed_and_deleted(client_on_each: httpx.Client, run_on_each: str) -> None:
    client, run = client_on_each, run_on_each
    put = client.put(f"{run}/predictions/100", content=member(1), headers=NPZ)
    assert put.status_code == 201
    again = client.put(f"{run}/predictions/100.0", content=member(1), headers=NPZ)
    assert again.status_code == 200
    assert again.json() == put.json()  # nothing was written, the time of arrival is the first one's
    other = client.put(f"{run}/predictions/100", content=member(2), headers=NPZ).json()
    assert other["loss"] != put.json()["loss"]
    assert other["targets"] == put.json()["targets"]
    client.put(f"{run}/predictions/50.5", content=member(3), headers=NPZ)
    items = client.get(f"{run}/predictions").json()["items"]
    assert [one["step"] for one in items] == [50.5, 100]
    assert items[1] == other
    assert (other["kind"], other["examples"], other["classes"]) == ("logits", 200, 3)
    assert client.delete(f"{run}/predictions/100").status_code == 204
    problem(client.delete(f"{run}/predictions/100"), 404, "unknown-predictions")
    assert len(client.get(f"{run}/predictions").json()["items"]) == 1


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "application/x-npz"])
def test_bodies_come_compressed_and_under_either_name(
    client: httpx.Client, run: str, encoding: str, content_type: str | None
) -> None:
    packed = {"gzip": gzip.compress, "zstd": ZstdCompressor().compress}.get(encoding, bytes)(member(1))
    headers = {"Content-Encoding": encoding} | ({"Content-Type": content_type} if content_type else {})
    assert client.put(f"{run}/predictions/1", content=packed, headers=headers).status_code == 201


def test_snapshots_of_a_cyclic_run_are_averaged(client_on_each: httpx.Client, run_on_each: str) -> None:
    client, run = client_on_each, run_on_each
    send_val(client, run, cyclic=True)
    for step in (100, 249, 499, 749, 999):
        client.put(f"{run}/predictions/{step}", content=member(step), headers=NPZ)
    found = client.get(f"{run}/ensemble").json()
    assert (found["chosen"], found["task"], found["examples"]) == ("cycle_ends", "classification", 200)
    assert [one["step"] for one in found["members"]] == [249, 499, 749, 999]
    over_best = found["gains"][0]
    assert over_best["interval"][0] > 0
    assert not over_best["within_noise"]
    assert found["average"]["loss"] < min(one["loss"] for one in found["members"])
    asked = client.get(f"{run}/ensemble", params={"steps": [100, 249, 7]}).json()
    assert asked["chosen"] == "asked"
    assert [one["step"] for one in asked["members"]] == [100, 249]
    assert asked["left_out"] == [{"run": "r", "step": 7, "reason": "no predictions of this step were posted"}]


def test_without_a_curve_all_that_were_posted_are_averaged(client: httpx.Client, run: str) -> None:
    for step in range(25):
        client.put(f"{run}/predictions/{step}", content=member(step), headers=NPZ)
    found = client.get(f"{run}/ensemble").json()
    assert found["chosen"] == "all"
    assert "val/loss was not logged" in found["why"]
    assert [one["step"] for one in found["members"]] == list(range(5, 25))
    assert {one["reason"] for one in found["left_out"]} == {"only the last 20 are averaged"}
    problem(client.get(f"{run}/ensemble", params={"steps": list(range(21))}), 422, "invalid-input")


def test_independent_runs_are_averaged_at_the_checkpoint_to_keep(client: httpx.Client, project: str) -> None:
    for name in ("a", "b", "c", "silent", "other"):
        client.put(f"{project}/runs/{name}")
    send_val(client, f"{project}/runs/a")
    for name, step in (("a", 100), ("a", 590), ("a", 990), ("b", 1), ("b", 2), ("c", 5)):
        body = member(step + ord(name))
        assert client.put(f"{project}/runs/{name}/predictions/{step}", content=body, headers=NPZ).status_code == 201
    rolled = savez(logits=np.roll(logits(3), 1, axis=0), targets=np.roll(TARGETS, 1))
    client.put(f"{project}/runs/other/predictions/5", content=rolled, headers=NPZ)
    found = client.get(f"{project}/ensembles", params={"run": ["a", "b", "c", "silent", "other"]}).json()
    assert [(one["run"], one["step"]) for one in found["members"]] == [("a", 590), ("b", 2), ("c", 5)]
    reasons = {one["run"]: one["reason"] for one in found["left_out"]}
    assert reasons["silent"] == "no predictions of it were posted"
    assert "targets are not those of the first member" in reasons["other"]
    assert found["gains"][0]["gain"] > 0
    problem(client.get(f"{project}/ensembles", params={"run": ["a", "nobody"]}), 404, "unknown-run")
    problem(client.get(f"{project}/ensembles", params={"run": ["a", "a"]}), 422, "invalid-input")
    problem(client.get(f"{project}/ensembles", params={"run": "a"}), 422, "invalid-input")
    problem(client.get(f"{project}/ensembles"), 422, "invalid-input")
    alone = client.get(f"{project}/ensembles", params={"run": ["a", "silent"]}).json()
    assert "two are needed" in alone["missing"]


def test_a_run_has_predictions_of_so_many_checkpoints(tmp_path: Any) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/few.db", run_predictions=2)
    with serving(settings) as client:
        run = "/api/v1/projects/p/runs/r"
        client.put(run)
        replies = [client.put(f"{run}/predictions/{k}", content=member(k), headers=NPZ) for k in (1, 2, 3, 1)]
        assert [one.status_code for one in replies] == [201, 201, 422, 200]
        assert replies[2].json()["type"] == "urn:curvewise:problem:limit-reached"
        assert [one["step"] for one in client.get(f"{run}/predictions").json()["items"]] == [1, 2]


def zipped(files: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text + data


HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 10), }"
EMPTY = "{'descr': '|V0', 'fortran_order': False, 'shape': (3,), }"
DEEP = "(" * 3000
OBJECTS = savez(logits=np.array([None, {}]), targets=TARGETS)
RECORDS = savez(logits=np.zeros(3, dtype=[("a", "f8")]), targets=TARGETS)


@pytest.mark.parametrize(
    ("body", "status", "kind", "reason"),
    [
        (b"", 400, "unreadable-body", "the body is empty"),
        (b"not a zip", 400, "unreadable-body", "not a whole .npz"),
        (member(1)[:-40], 400, "unreadable-body", "not a whole .npz"),
        (member(1)[:900] + b"\xff" + member(1)[901:], 400, "unreadable-body", "not a whole .npz"),
        (zipped({"logits.npy": npy(HUGE), "targets.npy": b""}), 400, "unreadable-body", "which is not (1000000000000"),
        (zipped({"logits.npy": npy(DEEP)}), 400, "unreadable-body", "not a whole .npz"),
        (zipped({"logits.npy": b"\x93NUMPY\x01"}), 400, "unreadable-body", "not a whole .npz"),
        (zipped({"logits.npy": member(1)}), 400, "unreadable-body", "not a whole .npz"),
        (zipped({"logits.npy": npy(HUGE, version=3)}), 422, "invalid-input", "version (3, 0)"),
        (zipped({"logits.npy": npy(HUGE, version=2)}), 400, "unreadable-body", "which is not"),
        (zipped({"logits.npy": npy(EMPTY)}), 422, "invalid-input", "which holds nothing"),
        (zipped({"logits.npy": b""}, zipfile.ZIP_LZMA), 400, "unreadable-body", "packed in another way"),
        (zipped({"logits": b""}), 422, "invalid-input", "the file holds 'logits'"),
        (zipped({"../logits.npy": b""}), 422, "invalid-input", "the file holds '../logits.npy'"),
        (zipped({f"{k}.npy": b"" for k in range(9)}), 422, "invalid-input", "more than 8 arrays"),
        (OBJECTS, 422, "invalid-input", "is of objects or records"),
        (RECORDS, 422, "invalid-input", "is of objects or records"),
        (savez(logits=logits(1)), 422, "invalid-input", "it is to hold `targets`"),
        (savez(probabilities=logits(1), targets=TARGETS), 422, "invalid-input", "are these `logits`?"),
        (savez(logits=logits(1), targets=TARGETS + 1), 422, "invalid-input", "the classes are 0 to 2"),
    ],
)
def test_what_is_no_predictions_is_told(
    client: httpx.Client, run: str, body: bytes, status: int, kind: str, reason: str
) -> None:
    assert reason in problem(client.put(f"{run}/predictions/1", content=body, headers=NPZ), status, kind)
    assert client.get(f"{run}/predictions").json()["items"] == []


def test_a_small_file_that_unpacks_to_much_is_refused(client: httpx.Client, run: str) -> None:
    packed = io.BytesIO()
    np.savez_compressed(packed, logits=np.zeros((2_000_000, 2), np.float16), targets=np.zeros(2_000_000, "u1"))
    assert len(packed.getvalue()) < MAX_BODY_BYTES / 5
    problem(client.put(f"{run}/predictions/1", content=packed.getvalue(), headers=NPZ), 413, "too-large")
    twice = gzip.compress(packed.getvalue())
    headers = {**NPZ, "Content-Encoding": "gzip"}
    problem(client.put(f"{run}/predictions/1", content=twice, headers=headers), 413, "too-large")


def test_a_file_that_lies_of_its_size_is_no_larger_for_that() -> None:
    body = zipped({"logits.npy": bytes(100_000)}, zipfile.ZIP_DEFLATED)
    claimed = (100_000).to_bytes(4, "little")
    assert body.count(claimed) == 2
    with pytest.raises(CurvewiseError):
        read_npz(body.replace(claimed, (10).to_bytes(4, "little")), 1000)
    with pytest.raises(TooLarge):
        read_npz(body, 1000)


@pytest.mark.parametrize("seed", range(100))
def test_no_change_of_a_file_breaks_the_reader(seed: int) -> None:
    rng = np.random.default_rng(seed)
    small = savez(logits=np.zeros((3, 2), np.float32), targets=np.zeros(3, "u1"))
    body = bytearray(small)
    for _ in range(int(rng.integers(1, 6))):
        body[int(rng.integers(len(body)))] = int(rng.integers(256))
    read: dict[str, Array] = {}
    with suppress(CurvewiseError):
        read = read_npz(bytes(body), 10_000)
    assert sum(array.nbytes for array in read.values()) <= 10_000


def test_any_byte_order_and_order_of_memory_is_read_as_it_was_sent() -> None:
    columns = np.asfortranarray(logits(1).astype(">f8"))
    found = read_npz(savez(logits=columns, targets=TARGETS.astype(">i4")), 1_000_000)
    np.testing.assert_array_equal(found["logits"], columns)
    np.testing.assert_array_equal(found["targets"], TARGETS)


@pytest.mark.parametrize("step", ["x", "-1", "nan", "inf", "1e300"])
def test_a_step_is_a_step(client: httpx.Client, run: str, step: str) -> None:
    problem(client.put(f"{run}/predictions/{step}", content=member(1), headers=NPZ), 422, "invalid-input")
    problem(client.delete(f"{run}/predictions/{step}"), 422, "invalid-input")


def test_other_media_types_and_unknown_runs_are_told(client: httpx.Client, project: str, run: str) -> None:
    json = {"Content-Type": "application/json"}
    problem(client.put(f"{run}/predictions/1", content=member(1), headers=json), 415, "unsupported-encoding")
    elsewhere = f"{project}/runs/nobody"
    problem(client.put(f"{elsewhere}/predictions/1", content=member(1), headers=NPZ), 404, "unknown-run")
    for path in ("checkpoints", "predictions", "ensemble"):
        problem(client.get(f"{elsewhere}/{path}"), 404, "unknown-run")
