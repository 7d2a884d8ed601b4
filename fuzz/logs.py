"""Every importer, and what finds the importer: bytes of a log in, a run or a clear error out."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from app.errors import UnreadableFile
from app.importers import csv_file, dvclive, json_file, jsonl, mlflow_files, mlflow_sqlite, tensorboard_runs, wandb
from app.importers.imported import ImportedRun
from fuzz.frames import as_tfrecords, as_wandb, mutating, shortened, tfrecords, wandb_records
from fuzz.reading import SEPARATOR, checked, file, folder, sniffed, text
from fuzz.target import Target
from fuzz.trees import mutated_document, mutated_lines

DATA = Path(__file__).parents[1] / "tests" / "importers" / "data"
_ROW = (b"step", b"epoch", b"loss", b"val_loss", b"train_loss", b"lr", b"nan", b"-inf", b"1e999", b"9007199254740993")
_TABLE = (*_ROW, b"metrics/mAP", b"train/box_loss", b"val/box_loss", b"eval_top1", b"timestamp", b'"', b";", b"\t")
_JSON = (
    *(b'"%s"' % word for word in _ROW),
    *(b'"iter"', b'"time"', b'"data_time"', b'"mode"', b'"val"', b'"key"', b'"value"', b'"n_parameters"'),
    *(b'"log_history"', b'"history"', b'"max_steps"', b'"global_step"', b'"train_runtime"', b'"logging_steps"'),
    *(b"NaN", b"-Infinity", b"true", b"null", b"[]", b"{}", b"1e400", b"-1"),
)
_MLFLOW_FILES = ("meta.yaml", "metrics/loss", "metrics/val/loss", "params/lr", "tags/mlflow.runName")
_DVCLIVE_FILES = ("plots/metrics/train/loss.tsv", "plots/metrics/acc.tsv", "params.yaml")
_KEPT_TABLES = ("experiments", "runs", "metrics", "params", "tags")


def _of(*patterns: str) -> Iterator[bytes]:
    """What the fixtures of these patterns hold."""
    for pattern in patterns:
        yield from (found.read_bytes() for found in sorted(DATA.glob(pattern)) if found.is_file())


def _tables() -> list[bytes]:
    return list(_of("**/*.csv", "dvclive/**/*.tsv"))


def _lines() -> list[bytes]:
    return list(_of("openmmlab/*", "detr/*"))


def _documents() -> list[bytes]:
    return list(_of("transformers/**/*.json"))


def _events() -> list[bytes]:
    return [shortened(tfrecords, as_tfrecords, data) for data in _of("**/*tfevents*")]


def _wandb_runs() -> list[bytes]:
    return [shortened(wandb_records, as_wandb, data) for data in _of("wandb/*/*.wandb")]


def _stores() -> list[bytes]:
    """The fixture without what MLflow keeps beside runs, in the smallest pages: a tenth of it."""
    with TemporaryDirectory() as home:
        path = Path(home) / "small"
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA page_size = 512")
            database.execute("ATTACH ? AS big", (str(DATA / "mlflow" / "store.sqlite"),))
            for name in _KEPT_TABLES:
                database.execute(f"CREATE TABLE {name} AS SELECT * FROM big.{name} LIMIT 40")
        return [path.read_bytes()]


def _mlflow_folders() -> list[bytes]:
    runs = sorted((DATA / "mlflow" / "mlruns").glob("*/*/metrics"))
    found = []
    for run in (metrics.parent for metrics in runs):
        metrics = [one.read_bytes() for one in sorted(run.glob("metrics/**/*")) if one.is_file()]
        metrics = [*metrics[:2], *[b""] * (2 - len(metrics[:2]))]
        found.append(SEPARATOR.join([(run / "meta.yaml").read_bytes(), *metrics, b"0.1", b"name"]))
    return found


def _dvclive_folders() -> list[bytes]:
    return [SEPARATOR.join((DATA / "dvclive" / name).read_bytes() for name in _DVCLIVE_FILES)]


def _read_store(path: Path) -> list[ImportedRun]:
    if not mlflow_sqlite.is_store(path):
        raise UnreadableFile(str(path), "not MLflow's")
    if runs := list(mlflow_sqlite.read(path)):
        return runs
    raise UnreadableFile(str(path), "no run of it has a metric")


def _everything() -> list[bytes]:
    seeds: list[Callable[[], list[bytes]]] = [_tables, _lines, _documents, _events, _wandb_runs, _stores]
    return [data for seed in seeds for data in seed()]


_LOGS = (
    Target(
        name="csv",
        check=checked(text(csv_file.read)),
        seeds=_tables,
        words=_TABLE,
        covers=(
            *("app.importers.csv_file", "app.importers.columns", "app.importers.table_format", "app.importers.keras"),
            *("app.importers.lightning", "app.importers.timm", "app.importers.ultralytics"),
            *("app.importers.dvclive_metric", "app.importers.fastai", "app.importers.imported"),
        ),
    ),
    Target(
        name="jsonl",
        check=checked(text(jsonl.read)),
        seeds=_lines,
        words=_JSON,
        covers=("app.importers.jsonl", "app.importers.openmmlab", "app.importers.detr", "app.importers.imported"),
        mutated=mutated_lines,
    ),
    Target(
        name="json",
        check=checked(lambda data: [json_file.read("log", data.decode(errors="replace"))]),
        seeds=_documents,
        words=_JSON,
        covers=("app.importers.json_file", "app.importers.jsonl"),
        mutated=mutated_document,
        most_bytes=4096,
    ),
    Target(
        name="tensorboard",
        check=checked(file(lambda path: [tensorboard_runs.read_alone(path)], "events.out.tfevents.1")),
        seeds=_events,
        covers=("app.importers.tensorboard", "app.importers.tensorboard_runs", "app.importers.tfrecord"),
        mutated=mutating(tfrecords, as_tfrecords),
        words=(b"scalars", b"epoch_loss", b"evaluation_loss_vs_iterations", b"batch_loss"),
    ),
    Target(
        name="wandb",
        check=checked(file(lambda path: [wandb.read(path)], "run.wandb")),
        seeds=_wandb_runs,
        covers=("app.importers.wandb", "app.importers.messages"),
        mutated=mutating(wandb_records, as_wandb),
        words=_JSON,
    ),
    Target(
        name="mlflow_sqlite",
        check=checked(file(_read_store, "store.sqlite")),
        seeds=_stores,
        covers=("app.importers.mlflow_sqlite", "app.importers.mlflow_runs"),
        most_bytes=16_384,
    ),
    Target(
        name="mlflow_files",
        check=checked(folder(lambda home: [mlflow_files.read(home)], "mlflow", _MLFLOW_FILES)),
        seeds=_mlflow_folders,
        covers=("app.importers.mlflow_files", "app.importers.mlflow_runs"),
        words=(b"run_name: ", b"status: ", b"&a ", b"*a", b"!!", b"<<: ", b"2001-01-01", SEPARATOR),
    ),
    Target(
        name="dvclive",
        check=checked(folder(dvclive.read, "dvclive", _DVCLIVE_FILES)),
        seeds=_dvclive_folders,
        covers=("app.importers.dvclive", "app.importers.dvclive_metric"),
        words=(b"step\tloss\n", b"timestamp\tstep\tloss\n", b"&a ", b"*a", SEPARATOR),
    ),
    Target(
        name="sniffed",
        check=checked(file(sniffed, "anything")),
        seeds=_everything,
        covers=("app.importers.read", "app.importers.runs"),
        words=(*_TABLE, *_JSON, b"\xff\xfe", b"\xef\xbb\xbf", wandb.HEAD, mlflow_sqlite.HEAD),
        most_bytes=4096,
    ),
)

TARGETS = {target.name: target for target in _LOGS}
