"""Names of MLflow as names here, where one part of a path may hold no slash and two runs no common name."""

import re
from hashlib import sha256

from app.limits import LONGEST_NAME

DEFAULT = "Default"  # the experiment that MLflow's clients expect to be there, under the id 0
RUN_NAME = "mlflow.runName"
RUN_ID = "mlflow.runId"

_NO_PART_OF_A_PATH = re.compile("[/\x00-\x1f\x7f-\x9f\ud800-\udfff]|^\\.{1,2}$")
_MARK = 8  # characters that tell names apart which would be the same here


def project_names(experiment: str) -> tuple[str, str]:
    """What the project of an experiment is called: `/a/b` is `:a:b`, and something longer where that is taken."""
    plain = _cleaned(experiment)
    return plain, f"{plain}~{sha256(experiment.encode(errors='surrogatepass')).hexdigest()[:_MARK]}"


def run_names(name: str | None, mlflow_id: str) -> tuple[str, str]:
    """What a run is called: as the job named it, with the beginning of its id where that is taken or it did not."""
    plain = _cleaned(name or "run")
    marked = f"{plain}-{mlflow_id[:_MARK]}"
    return (plain, marked) if name else (marked, f"{plain}-{mlflow_id}")


def _cleaned(name: str) -> str:
    return _NO_PART_OF_A_PATH.sub(":", name)[: LONGEST_NAME - 1 - 32]
