"""A Chromium of this machine without a screen, for whatever looks at pages."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # which root has not
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def installed() -> str | None:
    """The path of the first of NAMES that there is."""
    return next(filter(None, map(shutil.which, NAMES)), None)
