"""What a walk keeps beside the command: each trial's proposal, what it printed, and what could not be sent yet."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.errors import CurvewiseError
from app.search.answers import Proposal

_PROPOSAL = TypeAdapter(Proposal)


class Busy(CurvewiseError):
    """Another walk over the same search goes on in this folder."""


class Folder:
    """A folder of one search: RUN.json for a trial that has begun and not ended, RUN.log for what it printed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep other walks out of it. Raises Busy, OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy(
                    f"another `curvewise search run` of this search works in {self.path}; "
                    "--jobs runs more trials at once"
                ) from error
            yield

    def spool(self, run: str) -> Path:
        """Where a trial's points wait to be sent: its own, so that what one that died left is told from the rest."""
        return self.path.absolute() / "spool" / run

    def log(self, run: str) -> Path:
        """What a trial prints, over all times that it was begun."""
        return self.path / f"{run}.log"

    def begin(self, proposal: Proposal) -> None:
        """Remember a trial until it has ended, so that a walk that is interrupted can run it again."""
        written = self.path / f"{proposal.run}.json.part"
        written.write_text(json.dumps(asdict(proposal), indent=1))
        written.replace(self._begun(proposal.run))

    def end(self, run: str) -> None:
        """Forget it: it need not be run again."""
        self._begun(run).unlink(missing_ok=True)

    def unfinished(self) -> list[Proposal]:
        """Trials that were begun and have not ended, in the order of their names; a file that is none is left alone."""
        found = []
        for file in sorted(self.path.glob("*.json")):
            try:
                found.append(_PROPOSAL.validate_json(file.read_bytes()))
            except ValidationError:
                continue
        return found

    def unsent(self, run: str) -> bool:
        """Whether a trial that has ended left points that are not at the server."""
        return any(file.is_file() for file in self.spool(run).rglob("*"))

    def _begun(self, run: str) -> Path:
        return self.path / f"{run}.json"
