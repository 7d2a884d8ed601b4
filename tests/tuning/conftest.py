"""A server process that walks ask, and what one walk needs."""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from app.cli.search_service import searches
from app.search.answers import Next
from app.tuning.command import Command, Identity
from app.tuning.folder import Folder
from app.tuning.plan import Plan
from app.tuning.searches import Searches
from app.tuning.trial import Ended, Running
from app.tuning.walk import Walk
from tests.server_process import process, wait_until_ready

TRAIN = Path(__file__).parent / "train.py"
SPACE = {"lr": {"kind": "log_uniform", "low": 1e-4, "high": 1.0}, "decay": {"kind": "choice", "options": [0, 0.01]}}


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that these tests share, each with a project of its own."""
    with process(f"sqlite:///{tmp_path_factory.mktemp('tuning')}/c.db") as (_, client):
        wait_until_ready(client)
        yield client


@pytest.fixture
def url(server: httpx.Client) -> str:
    return str(server.base_url).rstrip("/")


@pytest.fixture
def here(url: str) -> Iterator[Searches]:
    """A search that nothing was said of, in a project of its own."""
    with searches(url, uuid4().hex, "s", patience_s=20.0) as opened:
        yield opened


@dataclass
class Told:
    """A report that keeps what it is told, and calls `seeing` with what runs."""

    steps: list[int] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    over: dict[str, Ended] = field(default_factory=dict)
    tails: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    most_at_once: int = 0
    seeing: Callable[[list[Running]], None] = lambda _: None

    def coming(self, coming: Next) -> None:
        self.steps.append(coming.search_step)

    def started(self, trial: Running) -> None:
        self.begun.append(trial.proposal.run)

    def looked(self, running: list[Running]) -> None:
        self.most_at_once = max(self.most_at_once, len(running))
        self.seeing(running)

    def ended(self, ended: Ended, tail: list[str]) -> None:
        self.over[ended.proposal.run] = ended
        self.tails[ended.proposal.run] = tail

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Walking:
    """Makes walks over one search, and keeps what they are told."""

    here: Searches
    url: str
    path: Path
    told: Told = field(default_factory=Told)
    stop: threading.Event = field(default_factory=threading.Event)
    delivered: list[Path] = field(default_factory=list)

    def walk(self, *words: str, **plan: object) -> Walk:
        command = Command(words or (sys.executable, str(TRAIN)))
        identity = Identity(self.url, self.here.project, self.here.search)
        settings = Plan(**{"grace_s": 5.0, **plan})  # type: ignore[arg-type]
        folder = Folder(self.path)
        self.path.mkdir(exist_ok=True)
        return Walk(self.here, command, identity, folder, settings, self.told, self.stop, self.delivered.append)


@pytest.fixture
def walking(here: Searches, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Walking:
    """Of a search that has its space, with no settings of whoever runs the tests."""
    for name in ("TOKEN", "SPOOL", "DISABLED", "PROJECT", "RUN", "SEARCH", "SEARCH_STEP", "CONFIG", "SETTINGS"):
        monkeypatch.delenv(f"CURVEWISE_{name}", raising=False)
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    here.put({"space": SPACE, "num_classes": 2, "steps_per_epoch": 10, "most_runs": 3})
    return Walking(here, url, tmp_path / "walk")
