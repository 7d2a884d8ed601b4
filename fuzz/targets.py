"""Everything that is fuzzed, by name; imported one by one, so that a campaign instruments what it fuzzes alone."""

from importlib import import_module

from fuzz.target import Target

_LOGS = (
    *("csv", "jsonl", "json", "tensorboard", "wandb"),
    *("mlflow_sqlite", "mlflow_files", "dvclive", "sniffed"),
)
_PLACES = {"decoder": "fuzz.decoder", **dict.fromkeys(_LOGS, "fuzz.logs"), "rules": "fuzz.judging"}
NAMES = tuple(_PLACES)


def named(name: str) -> Target:
    """The target of this name; its module keeps all that it has in TARGETS."""
    target: Target = import_module(_PLACES[name]).TARGETS[name]
    return target
