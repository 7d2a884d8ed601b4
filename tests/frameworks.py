"""Libraries that only the extra `frameworks` installs: without it their tests are skipped, but never where CI runs."""

import importlib
import os
import warnings
from types import ModuleType

import pytest

INSTALL = "pip install -e '.[frameworks]'"


def framework(name: str) -> ModuleType:
    """The module of this name. Without it the test module that asks is skipped, or fails where all must be there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a library does while it is imported
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if os.environ.get("CURVEWISE_TEST_FRAMEWORKS"):
            raise
        pytest.skip(f"{error.name} is not installed: {INSTALL}", allow_module_level=True)
