"""The accuracy report is written whole, from what was measured, and its pictures are pictures."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from labelled import LABELS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, str(ROOT / "benchmarks/report.py"), "--docs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_every_picture_that_the_text_names_is_there_and_is_svg(docs: Path) -> None:
    text = (docs / "accuracy.md").read_text()
    for name in (*LABELS, "healthy", "calibration"):
        assert f"accuracy/{name}.svg" in text
        assert ElementTree.parse(docs / "accuracy" / f"{name}.svg").getroot().tag.endswith("svg")


def test_the_pictures_in_the_repository_are_those_of_the_rules(docs: Path) -> None:
    for name in (*LABELS, "healthy"):
        drawn = (docs / "accuracy" / f"{name}.svg").read_text()
        assert (ROOT / "docs/accuracy" / f"{name}.svg").read_text() == drawn, "run benchmarks/report.py again"


def test_every_wrong_answer_is_listed_with_its_numbers(docs: Path) -> None:
    wrong = [line for line in (docs / "accuracy.md").read_text().splitlines() if line.startswith("- `")]
    assert all("decided by" in line or "not judged" in line for line in wrong)
