"""What checkpoints predict for the validation examples: two arrays a checkpoint, losslessly.

The arrays are written one after the other in numpy's own format, and compressed with a checksum.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update
from zstandard import ZstdCompressor, ZstdDecompressor

from app.ensembles.predictions import Kind, Predictions
from app.storage.tables import predictions


@dataclass(frozen=True, kw_only=True)
class Posted:
    """What is known of the predictions of a checkpoint, without reading them. targets: their fingerprint."""

    step: float
    kind: Kind
    examples: int
    classes: int | None
    targets: str
    loss: float  # log loss [nats], or squared error
    accuracy: float | None
    posted_at: datetime


_KNOWN = (
    predictions.c.at_step, predictions.c.kind, predictions.c.examples, predictions.c.classes, predictions.c.targets,
    predictions.c.loss, predictions.c.accuracy, predictions.c.posted_at,
)  # fmt: skip


def fingerprint(found: Predictions) -> str:
    """The same for the same targets in the same order, however they were sent."""
    about = f"{'values' if found.kind == 'values' else 'classes'} {found.targets.shape} ".encode()
    return hashlib.sha256(about + found.plain_targets.tobytes()).hexdigest()[:32]


@dataclass(frozen=True)
class Packed:
    """Arrays as they are kept, and the digest by which the same ones are known again."""

    arrays: bytes
    digest: str


def pack(found: Predictions) -> Packed:
    """Predictions -> what is kept of them: every bit, in this machine's byte order."""
    written = io.BytesIO()
    for array in (found.predictions, found.targets):
        native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        np.lib.format.write_array(written, native, allow_pickle=False)
    plain = written.getbuffer()
    # With the kind, which the arrays do not say: probabilities are valid logits.
    digest = hashlib.sha256(found.kind.encode() + plain).hexdigest()
    return Packed(ZstdCompressor(level=1, write_checksum=True).compress(plain), digest)


def unpack(kind: Kind, arrays: bytes) -> Predictions:
    """What `pack` was given."""
    plain = io.BytesIO(ZstdDecompressor().decompress(arrays))
    first, second = (np.lib.format.read_array(plain, allow_pickle=False) for _ in range(2))
    return Predictions(kind, first, second)


def keep(connection: Connection, run_id: int, posted: Posted, packed: Packed) -> bool:
    """Keep them in place of those of the same step -> whether there were none. The run is locked by the caller."""
    same = (predictions.c.run_id == run_id) & (predictions.c.at_step == posted.step)
    values = {
        "kind": posted.kind,
        "examples": posted.examples,
        "classes": posted.classes,
        "targets": posted.targets,
        "loss": posted.loss,
        "accuracy": posted.accuracy,
        "digest": packed.digest,
        "posted_at": posted.posted_at,
        "arrays": packed.arrays,
    }
    known = connection.execute(select(predictions.c.digest).where(same)).scalar_one_or_none()
    if known is None:
        connection.execute(insert(predictions).values(run_id=run_id, at_step=posted.step, **values))
    elif known != packed.digest:
        connection.execute(update(predictions).where(same).values(**values))
    return known is None


def count(connection: Connection, run_id: int) -> int:
    """Of how many checkpoints predictions are kept."""
    return connection.execute(select(func.count()).where(predictions.c.run_id == run_id)).scalar_one()


def listed(connection: Connection, run_id: int) -> list[Posted]:
    """In step order, without the arrays."""
    query = select(*_KNOWN).where(predictions.c.run_id == run_id).order_by(predictions.c.at_step)
    return [_posted(row) for row in connection.execute(query)]


def find(connection: Connection, run_id: int, step: float) -> Posted | None:
    """Those of one checkpoint, without the arrays."""
    query = select(*_KNOWN).where(predictions.c.run_id == run_id, predictions.c.at_step == step)
    row = connection.execute(query).one_or_none()
    return _posted(row) if row else None


def read(connection: Connection, run_id: int, step: float) -> Predictions | None:
    """The arrays of one checkpoint; None when there are none."""
    query = select(predictions.c.kind, predictions.c.arrays)
    row = connection.execute(query.where(predictions.c.run_id == run_id, predictions.c.at_step == step)).one_or_none()
    return unpack(cast("Kind", row.kind), row.arrays) if row else None


def remove(connection: Connection, run_id: int, steps: Sequence[float]) -> int:
    """Those of these checkpoints -> how many there were."""
    gone = (predictions.c.run_id == run_id) & predictions.c.at_step.in_(steps)
    return connection.execute(delete(predictions).where(gone)).rowcount


def some_steps(connection: Connection, run_id: int, most: int) -> list[float]:
    """Of so many checkpoints at most, whichever they are."""
    query = select(predictions.c.at_step).where(predictions.c.run_id == run_id).limit(most)
    return list(connection.execute(query).scalars())


def _posted(row: Any) -> Posted:
    return Posted(
        step=row.at_step,
        kind=cast("Kind", row.kind),
        examples=row.examples,
        classes=row.classes,
        targets=row.targets,
        loss=row.loss,
        accuracy=row.accuracy,
        posted_at=row.posted_at,
    )


def now_posted(step: float, found: Predictions, loss: float, accuracy: float | None) -> Posted:
    """What is known of predictions that have just arrived."""
    return Posted(
        step=step,
        kind=found.kind,
        examples=found.examples,
        classes=found.classes,
        targets=fingerprint(found),
        loss=loss,
        accuracy=accuracy,
        posted_at=datetime.now(UTC),
    )
