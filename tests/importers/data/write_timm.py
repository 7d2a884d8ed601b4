"""Writes timm/: summary.csv as timm's training script calls `update_summary`.

python -m venv V && V/bin/pip install 'timm==1.0.31' 'torch==2.13.0' && V/bin/python write_timm.py
"""

import math
from collections import OrderedDict
from pathlib import Path

from timm.utils import update_summary

HERE = Path(__file__).parent / "timm"


def main() -> None:
    """A whole run; one resumed into another folder, without a header; one that evaluates from its third epoch on."""
    write("summary.csv", range(12), evaluated=range(12))
    write("resumed.csv", range(12, 20), evaluated=range(12, 20), best=50.0)
    write("late_evaluation.csv", range(6), evaluated=range(2, 6, 2))


def write(name: str, epochs: range, evaluated: range, best: float | None = None) -> None:
    """As the script does: a header as long as there is no best metric yet."""
    HERE.mkdir(exist_ok=True)
    (HERE / name).unlink(missing_ok=True)
    for epoch in epochs:
        loss = 2.3 * math.exp(-epoch / 6)
        scores = OrderedDict(loss=loss + 0.2, top1=100 - 30 * loss, top5=100 - 10 * loss)
        update_summary(
            epoch,
            OrderedDict(loss=loss),
            scores if epoch in evaluated else None,
            filename=str(HERE / name),
            lr=0.1 * 0.9**epoch,
            write_header=best is None,
        )
        best = scores["top1"] if epoch in evaluated else best


if __name__ == "__main__":
    main()
