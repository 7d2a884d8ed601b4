"""Run the loop that the README shows, print what it prints, and take the picture of the page of its run.

    loop.py [--picture FILE]

The code is the README's own block, run as pasted against a server of its own. --picture: where the picture goes, as
docs/images/loop.png; needs a Chromium.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

import chromium
from serving import curvewise, serving

ROOT = Path(__file__).parents[1]
RUN = "projects/readme/runs/flown"
WIDTH, HEIGHT = 1280, 780  # of the picture [CSS pixels]
_TIMEOUT_S = 240


def block() -> tuple[str, str]:
    """The code, and what it is said to print."""
    section = (ROOT / "README.md").read_text().split("## The loop, on one run")[1].split("\n## ")[0]
    (code,), (printed,) = (re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL) for kind in ("python", "text"))
    return code, printed


def fly(code: str, url: str) -> str:
    """Run it against the server at `url` -> what it printed. Raises CalledProcessError where it fails."""
    with TemporaryDirectory(prefix="curvewise-spool-") as spool:
        environ = {**os.environ, "CURVEWISE_URL": url, "CURVEWISE_SPOOL": spool, "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    return done.stdout


def take(url: str, picture: Path) -> None:
    """The run's page, as it opens."""
    if (path := chromium.installed()) is None:
        sys.exit(f"no browser is installed: none of {', '.join(chromium.NAMES)} is on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(f"{url}/{RUN}")
        page.locator("canvas").first.wait_for()
        page.wait_for_timeout(1000)  # until it is drawn
        page.screenshot(path=str(picture))
        browser.close()


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--picture", type=Path, help="take a picture of the run's page")
    arguments = parser.parse_args()
    with serving(curvewise(), "/readyz") as server:
        print(fly(block()[0], server.url), end="")
        if arguments.picture:
            take(server.url, arguments.picture)


if __name__ == "__main__":
    main()
