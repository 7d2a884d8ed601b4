"""Writes dvclive/: what DVCLive leaves of one run.

python -m venv V && V/bin/pip install 'dvclive==3.49.1' && V/bin/python write_dvclive.py
"""

import math
import os
import shutil
import tempfile
from pathlib import Path

from dvclive import Live

HERE = Path(__file__).parent / "dvclive"


def main() -> None:
    """Ten epochs, one metric in a folder, the last loss NaN."""
    shutil.rmtree(HERE, ignore_errors=True)
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)
        with Live("dvclive", save_dvc_exp=False, report=None, dvcyaml=None) as live:
            live.log_params({"lr": 0.1, "width": 16})
            for epoch in range(10):
                live.log_metric(
                    "train/loss", math.nan if epoch == 9 else 2.3 * math.exp(-epoch / 4), timestamp=epoch % 2 == 0
                )
                live.log_metric("val/loss", 2.4 * math.exp(-epoch / 5))
                live.log_metric("acc", 1 - math.exp(-epoch / 4), timestamp=True)
                live.next_step()
        for name in ("metrics.json", "params.yaml"):
            HERE.mkdir(exist_ok=True)
            shutil.copy(Path(home) / "dvclive" / name, HERE / name)
        shutil.copytree(Path(home) / "dvclive" / "plots", HERE / "plots")


if __name__ == "__main__":
    main()
