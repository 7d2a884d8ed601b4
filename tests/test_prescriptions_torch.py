"""The torch form of the benchmark of the advice: real modules on real data, behind the interface of the NumPy form."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prescribing.campaign import Kept, prescribed, treatment_key
from prescribing.configurations import SPOILED, Configuration
from prescribing.cures import SEEDS, Original, changed, closing, levels, treat
from prescribing.outcomes import outcome
from prescribing.page import torch_page
from prescribing.real_configurations import draw_real
from prescribing.real_tasks import LETTERS, REAL
from prescribing.summary import summary
from prescribing.trainers import MissingExtra, make_trainer, require
from prescriptions import SMALL
from tests.frameworks import needed

needed("torch", "sklearn", "PIL")

import torch  # noqa: E402

from prescribing.real_data import examples, make_real_data, split  # noqa: E402
from prescribing.torch_models import BODIES, make_model  # noqa: E402

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SANE = Configuration(
    name="sane",
    form="torch",
    data_seed=1,
    task="digits",
    architecture="mlp",
    width=32,
    depth=1,
    head_scale=0.577,
    optimiser="sgd",
    lr=0.05,
    schedule="constant",
    updates=80,
    batch=32,
    train_size=1078,
    noise=0.0,
)


def as_lists(course):  # type: ignore[no-untyped-def]
    return [np.array(each).tolist() for each in (course.steps, course.train, course.val, course.test)]


@pytest.mark.parametrize("architecture", BODIES)
def test_replicas_share_nothing_and_go_on_from_a_checkpoint(architecture: str) -> None:
    c = replace(SANE, architecture=architecture, width=8, dropout=0.2, optimiser="adam", lr=0.003)
    together, alone = make_trainer(c, [0, 1]), make_trainer(c, [1])
    courses = [trainer.run(6, c.rate, [0, 3, 6]) for trainer in (together, alone)]
    assert as_lists(courses[1]) == [
        courses[0].steps,
        *[np.array(each)[:, 1:].tolist() for each in (courses[0].train, courses[0].val, courses[0].test)],
    ]
    kept = together.checkpoint()
    assert kept.step == 6
    together.run(8, c.rate, ())  # which must not reach into what was kept
    once, again = (make_trainer(c, [7, 8], kept.of([1, 1])).run(9, c.rate, [6, 9]) for _ in range(2))
    assert as_lists(once) == as_lists(again), "seeds decide everything"
    assert once.test[0].tolist() == [courses[0].test[2][1]] * 2, "with what the normalisation has seen"
    assert once.test[1][0] != once.test[1][1], "each in other batches"


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_the_optimiser_goes_on_too(optimiser: str) -> None:
    whole_data = {"task": "diabetes", "train_size": 64, "batch": 64}  # in one batch, whose order does not matter
    c = replace(SANE, **whole_data, optimiser=optimiser, lr=0.01)
    whole = make_trainer(c, [3]).run(20, c.rate, [20])
    begun = make_trainer(c, [3])
    begun.run(10, c.rate, ())
    resumed = make_trainer(c, [3], begun.checkpoint()).run(20, c.rate, [20])
    assert resumed.test[0] == pytest.approx(whole.test[0], rel=1e-5)


def test_a_sane_network_reads_digits() -> None:
    c = replace(SANE, updates=400, width=64, depth=2, architecture="batchnorm", schedule="cosine")
    course = make_trainer(c, [0]).run(c.updates, c.rate, [0, c.updates])
    assert course.val[0][0] == pytest.approx(math.log(10), rel=0.2)
    assert course.val_accuracy[1][0] > 0.95


def test_what_explodes_is_measured_as_what_it_becomes() -> None:
    c = replace(SANE, lr=1e6)
    assert not np.isfinite(make_trainer(c, [0]).run(60, c.rate, [60]).test[0][0])


@pytest.mark.parametrize("architecture", BODIES)
def test_initialisations_are_those_named(architecture: str) -> None:
    def started(**fields: float):  # type: ignore[no-untyped-def]
        torch.manual_seed(5)
        return make_model(replace(SANE, architecture=architecture, **fields), 8, 8, 10)  # type: ignore[arg-type]

    sane, other = started(), started(init_scale=0.1, head_scale=5.77)
    features = sane.head.in_features
    assert sane.head.weight.std().item() == pytest.approx(0.577 / math.sqrt(features), rel=0.15)
    assert torch.allclose(other.head.weight, sane.head.weight * 10)
    for (name, a), b in zip(sane.body.named_parameters(), other.body.parameters(), strict=True):
        assert torch.allclose(b, a * 0.1 if a.dim() > 1 else a), name
    assert started(head_bias=5.0).head.bias.std().item() > 1


@pytest.mark.parametrize("task", REAL)
def test_parts_of_real_data_share_nothing(task: str) -> None:
    _, y, group = examples(task)
    parts = split(group, np.random.default_rng(2))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(y)))
    together = [set(group[part].tolist()) for part in parts]
    assert sum(map(len, together)) == len(set.union(*together))
    data = make_real_data(task, 0.1, 200, 3)
    assert len(data.train.y) == 200
    assert min(len(data.val.y), len(data.test.y)) >= 80
    assert make_real_data.__wrapped__(task, 0.1, 200, 3).test.y.tolist() == data.test.y.tolist()
    if task in ("digits", "cancer", "diabetes"):
        assert np.abs(data.train.x.mean(axis=None if task == "digits" else (0, 1))).max() < 1e-4
        assert abs(data.val.x.mean()) > 1e-4, "the held-out parts had no say in it"
    with pytest.raises(ValueError, match=f"{task} has {REAL[task].rows} rows"):
        make_real_data(task, 0.1, REAL[task].rows + 1, 3)
    make_real_data(task, 0.0, REAL[task].rows, 4)


def test_the_next_letter_is_the_next_letter() -> None:
    x, y, group = examples("licence")
    texts = ["".join(LETTERS[code] for code in codes) for codes in x[:300].argmax(axis=2)]
    following = [LETTERS[int(code)] for code in y[:300]]
    assert texts[0] + following[0] == "apache licens"
    for i in range(299):
        if group[i] == group[i + 1]:
            assert texts[i + 1] == texts[i][1:] + following[i]


def test_what_is_drawn_depends_on_seed_and_number_alone_and_covers_everything() -> None:
    drawn = [draw_real(number, 1) for number in range(200)]
    assert draw_real(17, 1) == drawn[17] != draw_real(17, 2)
    assert {c.spoiled for c in drawn} == {"sane", *SPOILED}
    assert {c.task for c in drawn} == set(REAL)
    assert {c.architecture for c in drawn} == set(BODIES)
    assert all(c.train_size <= REAL[c.task].rows for c in drawn)
    assert Configuration(**json.loads(json.dumps(drawn[3].as_json()))) == drawn[3]


def original(c: Configuration) -> Original:
    course = make_trainer(c, range(1, 1 + SEEDS["torch"])).run(c.updates, c.rate, sorted({0, *closing(0, c.updates)}))
    return Original(course.steps, np.array(course.test).T.tolist(), levels(course, closing(0, c.updates)))


def test_cures_do_what_they_say() -> None:
    low = replace(SANE, lr=1e-3)
    known = original(low)
    raised = treat(low, known, "raise_lr", {"factor": 30.0})
    longer = treat(low, known, "continue", {"steps": 80.0})
    assert raised is not None
    assert longer is not None
    assert outcome(raised, math.log(10)).verdict == "helped"
    assert longer.paired
    assert outcome(longer, math.log(10)).verdict == "helped"
    same = treat(
        low, known, "decay_lr", {"at_step": 80.0, "factor": 1.0, "steps": 10.0, "kind": "constant", "lr": 1e-3}
    )
    assert same is not None
    assert outcome(same, math.log(10)).verdict == "no difference", "the same rate is no cure"


def test_there_are_only_so_many_rows_of_real_data() -> None:
    known = Original([0], [[1.0]], [1.0])
    assert treat(SANE, known, "add_data", {"factor": 2.0}) is None
    assert changed(replace(SANE, train_size=600), "add_data", {"factor": 2.0}) == SANE


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"torch: pip install -e '\.\[bench\]'"):
        make_trainer(SANE, [0])
    require("numpy")


def test_a_campaign_of_the_torch_form(tmp_path: Path) -> None:
    command = [sys.executable, BENCHMARKS / "prescriptions.py", "--form", "torch", "--small", "--seed", "14"]
    command += ["--advice-only", "--folder", tmp_path, "--json"]
    figures = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    kept = Kept(tmp_path, "now")
    names = sorted(kept.originals)
    assert names == sorted(draw_real(number, 14).name for number in range(SMALL))
    assert json.loads(json.dumps(summary(kept, names, "torch"))) == figures
    advised = [(name, r) for name in names for _, r in prescribed(kept.diagnoses[name], every=False)]
    assert advised
    assert {treatment_key(name, r["action"], r["args"]) for name, r in advised} == set(kept.treatments)
    text = torch_page(figures, seed=14, before=figures)
    assert f"{SMALL} configurations were drawn" in text
    assert "## Half C: the tasks which were only reported" in text
