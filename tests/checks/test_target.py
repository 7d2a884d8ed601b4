"""What runs are called in dashboards, and where they are shown."""

import pytest

from app.checks.target import target_of


@pytest.mark.parametrize(
    ("project", "run", "tags", "name", "identity"),
    [
        ("p", "r", {}, "p/r", "p/r"),
        ("p", "r", {"job": "resnet"}, "p/r", "p/resnet"),
        ("p", "r", {"job": ""}, "p/r", "p/r"),
        (None, None, {}, "run", "run"),
    ],
)
def test_names(project: str | None, run: str | None, tags: dict[str, str], name: str, identity: str) -> None:
    found = target_of(project, run, tags)
    assert (found.name, found.identity, found.location) == (name, identity, "train.py")


@pytest.mark.parametrize(
    ("script", "location"),
    [
        ("src/train.py", "src/train.py"),
        ("./src//train.py", "src/train.py"),
        ("src\\train.py", "src/train.py"),
        ("/home/me/train.py", "train.py"),
        ("../other/go.py", "go.py"),
        ("src/../go.py", "go.py"),
        ("C:\\me\\go.py", "go.py"),
        ("\\\\host\\go.py", "go.py"),
        ("/", "train.py"),
        ("", "train.py"),
    ],
)
def test_locations(script: str, location: str) -> None:
    assert target_of("p", "r", {"script": script}).location == location
    assert target_of("p", "r", {"mlflow.source.name": script}).location == location
