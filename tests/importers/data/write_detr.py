"""Writes detr/log.txt as the training scripts of DETR and MAE do, which are no packages: their line is made here.

    python write_detr.py

Each ends an epoch with `json.dumps({**{f'train_{k}': ...}, **{f'test_{k}': ...}, 'epoch': ..., 'n_parameters': ...})`.
"""

import json
import math
from pathlib import Path

HERE = Path(__file__).parent / "detr"


def main() -> None:
    """Twelve epochs, the second half of them at a tenth of the rate."""
    HERE.mkdir(exist_ok=True)
    with (HERE / "log.txt").open("w") as log:
        for epoch in range(12):
            loss = 20 * math.exp(-epoch / 5) + 4
            train = {"lr": 1e-4 if epoch < 6 else 1e-5, "class_error": 4 * loss, "loss": loss, "loss_ce": loss / 10}
            train |= {"loss_bbox": loss / 20, "loss_ce_unscaled": loss / 10, "cardinality_error_unscaled": 3.0}
            test = {"class_error": 4 * loss, "loss": loss + 1, "loss_ce": loss / 9, "coco_eval_bbox": [0.1, 0.2, 0.3]}
            stats = {f"train_{name}": value for name, value in train.items()}
            stats |= {f"test_{name}": value for name, value in test.items()}
            log.write(json.dumps(stats | {"epoch": epoch, "n_parameters": 41302368}) + "\n")


if __name__ == "__main__":
    main()
