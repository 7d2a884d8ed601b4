from pathlib import Path

import pytest

from app.errors import UnreadableFile
from app.importers.yaml_file import read_mapping


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


def test_values_are_those_of_json(file: Path) -> None:
    file.write_text(
        "lr: 0.1\ndepth: 3\nbest: .nan\nday: 2026-01-31\n7: [a, {b: null}]\nraw: !!binary aGk=\nkinds: !!set {x}\n"
    )
    read = read_mapping(file)
    assert str(read.pop("best")) == "nan"
    assert read == {
        "lr": 0.1,
        "depth": 3,
        "day": "2026-01-31",
        "7": ["a", {"b": None}],
        "raw": "b'hi'",
        "kinds": ["x"],
    }


def test_an_alias_is_what_it_stands_for(file: Path) -> None:
    file.write_text("a: &sizes [64, 32]\nb: *sizes\n")
    assert read_mapping(file) == {"a": [64, 32], "b": [64, 32]}


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n", "null"])
def test_what_is_no_mapping_says_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert read_mapping(file) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1, 2", "not readable as YAML"),
        ("lr: 0.1\nday: 2026-13-45", "params.yaml:2: not readable as YAML"),
        ("a: !!timestamp x", "not readable as YAML"),
        ("a: !!bool x", "not readable as YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not readable as YAML"),
        ("a: " + "9" * 5000, "not readable as YAML"),
        ("a: &a [*a]", "a part of itself"),
        ("a: [" + "1, " * 10_000 + "]", "more than 10000 values"),
    ],
)
def test_what_cannot_be_meant_is_refused(file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    with pytest.raises(UnreadableFile, match=reason):
        read_mapping(file)
