"""How long logs on disk take to be read and diagnosed, beside the least that reading their bytes could cost.

    importing.py [--small] [--json]

Each format holds the same run of a million rows: train loss at every step, val loss at every tenth, the rate. Each is
read and judged once in a fresh process, as the command does. Two floors are measured beside it in that process, on the
same file: its bytes read and its lines counted, and, where the file is text, every row taken apart by the standard
library's csv or json and its first value made a number. --small does a few thousand rows, for tests.
"""

import argparse
import csv
import json
import multiprocessing
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import google_crc32c
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from app.diagnosis import judge
from app.importers.read import read
from app.importers.tensorboard import MESSAGES

ROWS, SMALL_ROWS = 1_000_000, 5_000
_EVALUATED = 10  # one row in so many

Figures = dict[str, float | str]
Row = tuple[int, float, float | None, float]


def rows(count: int) -> Iterator[Row]:
    """Step, train loss, val loss where it was evaluated, learning rate."""
    noise = np.random.default_rng(0).normal(0, 0.02, count).tolist()
    for step in range(count):
        done = step / count
        train = 0.1 + 2.2 * float(np.exp(-5 * done)) + abs(noise[step])
        yield step, train, train + 0.1 if step % _EVALUATED == 0 else None, 0.1 * (1 - done)


def write_csv(path: Path, count: int) -> None:
    """With blanks where nothing was evaluated, as Lightning writes them."""
    with path.open("w") as file:
        file.write("step,loss,val_loss,lr\n")
        for step, train, val, rate in rows(count):
            file.write(f"{step},{train:.6f},{'' if val is None else f'{val:.6f}'},{rate:.6f}\n")


def write_jsonl(path: Path, count: int) -> None:
    """Without what was not evaluated."""
    with path.open("w") as file:
        for step, train, val, rate in rows(count):
            found = {"step": step, "loss": round(train, 6), "lr": round(rate, 6)}
            file.write(json.dumps(found if val is None else found | {"val_loss": round(val, 6)}) + "\n")


def write_events(path: Path, count: int) -> None:
    """A TensorBoard event a scalar."""

    def checksum(data: bytes) -> bytes:
        crc = google_crc32c.value(data)
        return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)

    with path.open("wb") as file:
        for step, train, val, rate in rows(count):
            for tag, value in ((b"loss", train), (b"val_loss", val), (b"lr", rate)):
                if value is not None:
                    data = scalar(step, tag, value)
                    length = struct.pack("<Q", len(data))
                    file.write(length + checksum(length) + data + checksum(data))


def scalar(step: int, tag: bytes, value: float) -> bytes:
    """One event as every writer of version 1 makes it."""
    event = MESSAGES["Event"](step=step)
    event.summary.value.add(tag=tag, simple_value=value)
    data: bytes = event.SerializeToString()
    return data


FORMATS: dict[str, Callable[[Path, int], None]] = {
    "CSV": write_csv,
    "JSON lines": write_jsonl,
    "TensorBoard events": write_events,
}


def bytes_seconds(path: Path) -> float:
    """The bytes, and how many lines they are."""
    begin = time.perf_counter()
    path.read_bytes().count(b"\n")
    return time.perf_counter() - begin


def parsed_seconds(path: Path, kind: str) -> float | None:
    """The standard library's parser over every row, one value of each made a number; None where there is none."""
    if kind == "TensorBoard events":
        return None
    begin = time.perf_counter()
    with path.open(newline="") as lines:
        if kind == "CSV":
            parser = csv.reader(lines)
            next(parser)
            total = sum(float(row[1]) for row in parser)
        else:
            total = sum(json.loads(line)["loss"] for line in lines)
    assert total > 0
    return time.perf_counter() - begin


def measured(kind: str, count: int) -> Figures:
    """Seconds of reading and of judging, once; of both floors; and the size of the file."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "log"
        FORMATS[kind](path, count)
        floor = bytes_seconds(path)
        begin = time.perf_counter()
        run = read(path)
        read_at = time.perf_counter()
        judge(run.curves, run.context)
        ended = time.perf_counter()
        assert len(run.curves["loss"]) == count
        parsed = parsed_seconds(path, kind)
        figures: Figures = {
            "format": kind,
            "rows": count,
            "megabytes": path.stat().st_size / 1e6,
            "read_s": read_at - begin,
            "judge_s": ended - read_at,
            "total_s": ended - begin,
            "bytes_s": floor,
        }
        return figures if parsed is None else figures | {"parsed_s": parsed, "ratio": (ended - begin) / parsed}


def measure(small: bool) -> list[Figures]:
    """Every format in a process of its own, one after the other."""
    fresh = multiprocessing.get_context("spawn")
    figures = []
    for kind in FORMATS:
        with fresh.Pool(1) as pool:
            figures.append(pool.apply(measured, (kind, SMALL_ROWS if small else ROWS)))
    return figures


def show(console: Console, figures: list[Figures]) -> None:
    """Print the table."""
    table = Table(title="one log read and diagnosed, seconds", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in (
        "format",
        "rows",
        "MB",
        "read",
        "judged",
        "together",
        "bytes alone",
        "parser alone",
        "together / parser",
    ):
        table.add_column(heading, justify="left" if heading == "format" else "right")
    names = ("megabytes", "read_s", "judge_s", "total_s", "bytes_s", "parsed_s", "ratio")
    for row in figures:
        table.add_row(
            str(row["format"]), f"{row['rows']:,}", *(f"{row[name]:.3g}" if name in row else "" for name in names)
        )
    console.print(table)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a few thousand rows, for tests")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    figures = measure(arguments.small)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    show(Console(width=110, highlight=False), figures)


if __name__ == "__main__":
    main()
