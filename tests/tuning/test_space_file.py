from pathlib import Path

import pytest

from app.errors import InvalidInput, UnreadableFile
from app.search.space import Space
from app.tuning.space_file import read_search

LR = {"kind": "log_uniform", "low": 1e-5, "high": 1}


def read(tmp_path: Path, text: str) -> dict[str, object]:
    (tmp_path / "space.yaml").write_text(text)
    return read_search(tmp_path / "space.yaml")


@pytest.mark.parametrize("low", ["1e-5", "1E-5", "1.e-5", ".00001", "0.1e-4", "+1e-05"])
def test_a_space_alone_and_numbers_as_people_write_them(tmp_path: Path, low: str) -> None:
    found = read(tmp_path, f"lr: {{kind: log_uniform, low: {low}, high: 1}}")
    assert found == {"space": {"lr": LR}}
    Space.parse(found["space"])


def test_what_only_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    found = read(tmp_path, "act: {kind: choice, options: [relu, 1e, e-5, '1e-5', 1e-5]}")
    assert found["space"] == {"act": {"kind": "choice", "options": ["relu", "1e", "e-5", "1e-5", 1e-5]}}


def test_a_search_with_its_space(tmp_path: Path) -> None:
    found = read(tmp_path, "metric: val/accuracy\ngoal: max\nspace:\n  lr: {kind: log_uniform, low: 1e-5, high: 1}")
    assert found == {"metric": "val/accuracy", "goal": "max", "space": {"lr": LR}}


def test_json_is_read_as_well_and_a_parameter_may_be_called_space(tmp_path: Path) -> None:
    text = '{"space": {"kind": "choice", "options": [1, 2]}}'
    assert read(tmp_path, text) == {"space": {"space": {"kind": "choice", "options": [1, 2]}}}


@pytest.mark.parametrize("text", ["", "- lr", "lr", "{}"])
def test_a_file_that_declares_nothing_says_what_it_should(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput, match="which parameters vary"):
        read(tmp_path, text)


def test_a_search_has_no_such_fact(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no 'goals'; beside space there are metric"):
        read(tmp_path, "goals: max\nspace: {lr: {kind: log_uniform, low: 1, high: 2}}")


def test_what_is_no_yaml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"space.yaml:2: not readable"):
        read(tmp_path, "lr: {kind: choice}\nwd: ]")
    with pytest.raises(UnreadableFile, match="No such file"):
        read_search(tmp_path / "nothing.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"lr: \xff\xfe")
    with pytest.raises(UnreadableFile, match="UTF-8"):
        read_search(tmp_path / "bytes.yaml")
