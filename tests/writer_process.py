"""A server's write path in a process of its own, to be killed: writes points and says which were acknowledged.

Run as `python tests/writer_process.py URL FIRST_STEP BATCHES RUN_ID...`: eight clients, each writes one point at a
time to every run in turn, odd clients in the opposite order. A line `RUN STEP` on stdout is an acknowledged point.
"""

import asyncio
import os
import sys

import numpy as np

from app.curves.points import Points
from app.recorder import Recorder
from app.storage.database import Database, make_engine

CLIENTS = 8


async def _client(recorder: Recorder, run_ids: list[int], steps: range) -> None:
    for step in steps:
        for run_id in run_ids:
            point = Points("loss", np.array([float(step)]), np.array([step * 0.5]))
            await recorder.record(run_id, [point], None)
            os.write(1, f"{run_id} {step}\n".encode())


async def _main(url: str, first_step: int, batches: int, run_ids: list[int]) -> None:
    database = Database(make_engine(url))
    recorder = Recorder(database, queue_points=1000)
    await recorder.start()
    end = first_step + batches * CLIENTS
    await asyncio.gather(
        *(_client(recorder, run_ids[:: (-1) ** i], range(first_step + i, end, CLIENTS)) for i in range(CLIENTS))
    )
    await recorder.stop()
    database.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [int(run_id) for run_id in sys.argv[4:]]))
