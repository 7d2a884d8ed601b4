"""A server that says of a run what a test wants it to say, for what acts on diagnoses."""

from typing import Any

DECAY = ("CW002", "decay_needed", "decay_lr", {"at_step": 100.0, "factor": 0.1})
STOP = ("CW005", "overfitting", "stop", {"best_step": 60.0})
GO_ON = ("CW004", "keep_training", "continue", {"steps": 100.0, "expected_gain": 0.1})


class Optimizer:
    def __init__(self, lr: float = 0.1) -> None:
        self.lr = lr


def finding(code: str, rule: str, action: str, args: Any, **other: Any) -> dict[str, Any]:
    recommendation = {"text": "Do it.", "action": action, "args": args}
    more = {"severity": "warning", "confidence": 0.9, "summary": "It is so.", "recommendations": [recommendation]}
    return {"code": code, "rule": rule, "verdict": "finding", **more, **other}
