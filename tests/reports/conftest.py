"""A real browser for the reports that are made for one."""

from tests.pages.conftest import browser

__all__ = ["browser"]
