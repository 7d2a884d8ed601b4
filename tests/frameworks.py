"""Libraries that only the extra `frameworks` installs: without it their tests are skipped, but never where CI runs."""

import importlib
import os
import warnings
from importlib.util import find_spec
from types import ModuleType

import pytest


def needed(*names: str) -> None:
    """Skip what asks where one of these is not installed, or fail where CURVEWISE_TEST_FRAMEWORKS says they must be."""
    if missing := [name for name in names if find_spec(name) is None]:
        told = f"{', '.join(missing)} is not installed: pip install -e '.[frameworks]'"
        if os.environ.get("CURVEWISE_TEST_FRAMEWORKS"):
            pytest.fail(told)
        pytest.skip(told, allow_module_level=True)


def framework(name: str) -> ModuleType:
    """The module of this name, which is `needed`; whatever it warns of while it is imported is its own business."""
    needed(name.partition(".")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)
