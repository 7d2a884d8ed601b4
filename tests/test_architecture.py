"""The pure rooms know no clock, chance, environment, file or log, which import contracts cannot say of the library.

What the contracts themselves say is checked by `lint-imports`; here, that they name the rooms there are.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
LAYERS, PURE = CONFIG["tool"]["importlinter"]["contracts"]
PURE_ROOMS = [room.removeprefix("app.") for room in PURE["source_modules"]]

# What a pure function may build on. Anything else in the standard library is placed here on purpose.
PURE_MODULES = {
    "abc", "collections", "dataclasses", "enum", "fractions", "functools", "itertools", "math", "operator", "re",
    "types", "typing", "unicodedata",
    "app", "numpy", "pydantic", "scipy",
}  # fmt: skip
IMPURE_NAMES = {"open", "print", "input", "exec", "eval", "compile", "__import__", "globals", "breakpoint"}
# numpy reads files, clocks and chance too.
IMPURE_ATTRIBUTES = {
    "random",
    "load",
    "loadtxt",
    "genfromtxt",
    "fromfile",
    "tofile",
    "save",
    "savez",
    "savetxt",
    "memmap",
}


def files_of(room: str) -> list[Path]:
    folder, file = ROOT / "app" / room, ROOT / "app" / f"{room}.py"
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [file]


def impurities(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"import {n.name}" for n in names if n.name.split(".")[0] not in PURE_MODULES)
            case ast.ImportFrom(module=module, level=level, names=names):
                if level or (module or "").split(".")[0] not in PURE_MODULES:
                    yield f"from {module} import"
                yield from (f"from {module} import {n.name}" for n in names if n.name in IMPURE_ATTRIBUTES)
            case ast.Name(id=name) if name in IMPURE_NAMES:
                yield name
            case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=attribute) if attribute in IMPURE_ATTRIBUTES:
                yield f"np.{attribute}"
            case ast.Global() | ast.Nonlocal():
                yield "global state"


@pytest.mark.parametrize(
    "path", [p for room in PURE_ROOMS for p in files_of(room)], ids=lambda p: f"{p.parent.name}.{p.stem}"
)
def test_a_pure_room_depends_on_its_arguments_alone(path: Path) -> None:
    assert list(impurities(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import os.path as p",
        "import numpy, time",
        "from datetime import datetime",
        "from pathlib import Path",
        "from . import curve",
        "from numpy import random",
        "import logging",
        "def f():\n    import socket",
        "open('x')",
        "print(1)",
        "np.random.default_rng()",
        "np.load('x')",
        "def f():\n    global x\n    x = 1",
    ],
)
def test_the_check_sees_what_is_not_pure(source: str) -> None:
    assert list(impurities(source))


def test_the_check_lets_pure_code_through() -> None:
    assert list(impurities("import math\nfrom app.curves.curve import Curve\nx = np.exp(math.pi)")) == []


def test_every_room_below_settings_is_declared_pure_and_held_to_its_branches() -> None:
    rooms = [room for layer in LAYERS["layers"] for room in layer.replace("(", "").replace(")", "").split(" | ")]
    below = {room for room in rooms[rooms.index("settings") + 1 :] if any(file.exists() for file in files_of(room))}
    assert below == set(PURE_ROOMS)
    assert set(CONFIG["tool"]["coverage"]["run"]["source_pkgs"]) == set(PURE["source_modules"])
