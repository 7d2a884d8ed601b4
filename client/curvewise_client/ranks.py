"""Which process of a distributed job this is: only rank zero logs, or every curve would be written once a process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

# The launchers' own variables, the most particular first: under srun each of torchrun's processes has the same
# SLURM_PROCID, and a rank of its own in RANK.
_GLOBAL = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
_SIZES = (
    "WORLD_SIZE",
    "OMPI_COMM_WORLD_SIZE",
    "PMI_SIZE",
)  # a Slurm array sets SLURM_NTASKS for jobs of their own as well
_LOCAL = ("LOCAL_RANK", "NODE_RANK")  # where a launcher tells no global rank, zero is zero in both


def rank_of(environ: Mapping[str, str]) -> int:
    """The rank of this process, 0 when nothing says that there are others."""
    if (known := _initialised("get_rank")) is not None:
        return known
    for name in _GLOBAL:
        if (found := _integer(environ.get(name))) is not None:
            return found
    return max(_integer(environ.get(name)) or 0 for name in _LOCAL)


def processes() -> int:
    """How many processes train this model together, as far as torch.distributed or a launcher says."""
    if (known := _initialised("get_world_size")) is not None:
        return known
    return next((found for name in _SIZES if (found := _integer(os.environ.get(name))) is not None), 1)


def _initialised(asked: str) -> int | None:
    """What torch.distributed answers, where the job has imported and initialised it."""
    distributed = sys.modules.get("torch.distributed")
    try:
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(getattr(distributed, asked)())
    except Exception:
        return None
    return None


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdigit() else None
