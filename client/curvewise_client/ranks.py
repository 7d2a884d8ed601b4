"""Which process of a distributed job this is: only rank zero logs, or every curve would be written once a process."""

from __future__ import annotations

import sys
from collections.abc import Mapping

# The launchers' own variables, the most particular first: under srun each of torchrun's processes has the same
# SLURM_PROCID, and a rank of its own in RANK.
_GLOBAL = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
_LOCAL = ("LOCAL_RANK", "NODE_RANK")  # where a launcher tells no global rank, zero is zero in both


def rank_of(environ: Mapping[str, str]) -> int:
    """The rank of this process, 0 when nothing says that there are others."""
    if (known := _initialised()) is not None:
        return known
    for name in _GLOBAL:
        if (found := _integer(environ.get(name))) is not None:
            return found
    return max(_integer(environ.get(name)) or 0 for name in _LOCAL)


def _initialised() -> int | None:
    """What torch.distributed says, where the job has imported and initialised it."""
    distributed = sys.modules.get("torch.distributed")
    try:
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank())
    except Exception:
        return None
    return None


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdigit() else None
