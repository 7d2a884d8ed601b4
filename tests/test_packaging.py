"""The wheel: whatever an installed curvewise needs travels in it, and nothing else does."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, timeout=300)
    (built,) = folder.glob("curvewise-*.whl")
    return built


def test_the_wheel_holds_what_it_needs_and_no_more(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "app/demo/runs.jsonl.gz" in names
    assert "app/migrations/env.py" in names
    in_checkout = {f"app/migrations/versions/{path.name}" for path in (ROOT / "migrations/versions").glob("*.py")}
    assert in_checkout
    assert in_checkout <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"app", "curvewise"}
    assert not [name for name in names if name.endswith((".pyc", ".db"))]


def test_its_metadata(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    metadata = archive.read(name).decode().splitlines()
    assert "Requires-Python: >=3.11" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "curvewise = app.cli.main:main" in archive.read(entry_points).decode()


def test_the_installed_package_needs_no_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    migrate = [sys.executable, "-m", "app.cli.main", "migrate", "--database-url", f"sqlite:///{tmp_path}/c.db"]
    done = subprocess.run(migrate, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    where = [sys.executable, "-c", "from app.storage.migrate import SCRIPTS; print(SCRIPTS)"]
    found = subprocess.run(where, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert Path(found.stdout.strip()) == tmp_path / "site" / "app" / "migrations"


def test_the_image_copies_every_file_that_the_build_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"], "app", "migrations"}
    copied = {
        word
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
        for word in line.split()[1:-1]
    }
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == needed
    assert allowed == needed
