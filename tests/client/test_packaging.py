"""The distribution: the standard library alone, quickly imported, and whole when it is installed alone."""

import ast
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.client.reading import curves

CLIENT = Path(__file__).parents[2] / "client"
FILES = sorted((CLIENT / "curvewise_client").glob("*.py"))
FRAMEWORKS = {
    "keras": {"keras"},
    "lightning": {"lightning", "pytorch_lightning"},
    "transformers": {"transformers"},
    "xgboost": {"xgboost"},
}
# 20 ms of http.client: start() imports it, in the thread that calls it, and who only imports us does not.
DELAYED = {("run", "curvewise_client.parts")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_imports_the_standard_library_and_nothing_late(file: Path) -> None:
    allowed = sys.stdlib_module_names | {"curvewise_client"} | FRAMEWORKS.get(file.stem, set())
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {name.name.split(".")[0] for name in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert (node.module or "").split(".")[0] in allowed
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            late = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
            assert {(file.stem, node.module) for node in late if isinstance(node, ast.ImportFrom)} <= DELAYED
            assert all(isinstance(node, ast.ImportFrom) for node in late)


def test_the_import_loads_nothing_slow() -> None:
    """How long it takes is measured in benchmarks/client.py; these are what would make it long."""
    code = f"import sys; sys.path.insert(0, {str(CLIENT)!r}); import curvewise_client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True).stdout
    assert "curvewise_client.run" in loaded.split()
    assert not set(loaded.split()) & {"http.client", "socket", "ssl", "email", "asyncio", "subprocess", "argparse"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(CLIENT)], check=True, timeout=300)
    (built,) = folder.glob("curvewise_client-*.whl")
    return built


def test_the_wheel_holds_the_client_and_no_more(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"curvewise_client/{file.name}" for file in FILES} | {"curvewise_client/py.typed"} <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"curvewise_client"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_works_alone_in_an_empty_environment(
    server: httpx.Client, url: str, project: str, spool: Path, wheel: Path, tmp_path: Path
) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    install = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*install, "--no-index", "--no-deps", str(wheel)], check=True, timeout=120)
    code = (
        "import curvewise_client as c; "
        f"run = c.start({project!r}, 'r', url='http://127.0.0.1:9', spool={str(spool)!r}, exit_timeout_s=0); "
        "run.log(1, {'loss': 0.5})"
    )
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([home / "bin" / "python", "-c", code], check=True, env=environ, cwd=tmp_path, timeout=60)
    sync = [home / "bin" / "curvewise-client", "sync", str(spool), "--url", url]
    done = subprocess.run(sync, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, f"{project}/r, attempt 1: 1 points sent\n"), done.stderr
    assert curves(server, project) == {"loss": {1.0: 0.5}}
    version = subprocess.run([sync[0], "--version"], capture_output=True, text=True, check=True).stdout.strip()
    assert version in wheel.name


def test_a_frameworks_module_is_imported_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "xgboost").mkdir()
    (tmp_path / "xgboost" / "__init__.py").write_text("")
    (tmp_path / "xgboost" / "callback.py").write_text("class TrainingCallback: ...")
    code = f"""
import sys; sys.path[:0] = [{str(CLIENT)!r}, {str(tmp_path)!r}]
import curvewise_client as curvewise
assert "xgboost" not in sys.modules
print(curvewise.xgboost.CurvewiseCallback.__name__, curvewise.xgboost is curvewise.xgboost)
try: curvewise.keras
except ModuleNotFoundError as error: print(error.name)
print(hasattr(curvewise, "no_such_framework"))
"""
    said = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.split() == ["CurvewiseCallback", "True", "keras", "False"]
