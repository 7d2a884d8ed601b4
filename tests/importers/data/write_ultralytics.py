"""Writes ultralytics/: results.csv of a small detector and a small classifier, trained from scratch on drawn squares.

python -m venv V && V/bin/pip install 'ultralytics==8.4.190' 'torch==2.14.1' && V/bin/python write_ultralytics.py
"""

import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("YOLO_OFFLINE", "true")

import cv2
import numpy as np
from ultralytics import YOLO
from ultralytics.utils import SETTINGS

HERE = Path(__file__).parent / "ultralytics"
OPTIONS = {
    "imgsz": 64,
    "batch": 8,
    "workers": 0,
    "device": "cpu",
    "plots": False,
    "save": False,
    "amp": False,
    "exist_ok": True,
}


def main() -> None:
    """Four epochs each; the detector once more without validation."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        # Its loggers would otherwise commit experiments to whichever repository this is run in.
        SETTINGS.update({"dvc": False, "mlflow": False, "tensorboard": False, "wandb": False})
        os.chdir(home)
        data = detection(home / "detect")
        train("detect", home, "yolov8n.yaml", data, val=True)
        train("unvalidated", home, "yolov8n.yaml", data, val=False)
        train("classify", home, "yolov8n-cls.yaml", classification(home / "classify"), val=True)


def train(run: str, home: Path, model: str, data: Path, *, val: bool) -> None:
    """Keep the log alone."""
    YOLO(model).train(data=str(data), epochs=4, project=str(home), name=run, val=val, **OPTIONS)
    HERE.mkdir(exist_ok=True)
    shutil.copy(home / run / "results.csv", HERE / f"{run}.csv")


def detection(folder: Path) -> Path:
    """Sixteen images of one square each, with its box."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for index in range(16):
            x, y = rng.integers(8, 40, 2)
            image = np.zeros((64, 64, 3), np.uint8)
            image[y : y + 16, x : x + 16] = 255
            cv2.imwrite(str(folder / "images" / split / f"{index}.png"), image)
            box = f"0 {(x + 8) / 64} {(y + 8) / 64} 0.25 0.25\n"
            (folder / "labels" / split / f"{index}.txt").write_text(box)
    config = folder / "data.yaml"
    config.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames: [square]\n")
    return config


def classification(folder: Path) -> Path:
    """Dark and light images."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for label, level in (("dark", 50), ("light", 200)):
            (folder / split / label).mkdir(parents=True)
            for index in range(8):
                image = np.clip(rng.normal(level, 30, (64, 64, 3)), 0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / split / label / f"{index}.png"), image)
    return folder


if __name__ == "__main__":
    main()
