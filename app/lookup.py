"""Projects and runs by name, for the verbs: what is not there is an error that says so."""

from sqlalchemy import Connection

from app.errors import UnknownProject, UnknownRun
from app.limits import check_name
from app.storage import runs
from app.storage.runs import StoredProject, StoredRun


def project(connection: Connection, name: str) -> StoredProject:
    """Raises InvalidInput for what is no name, UnknownProject."""
    check_name("project", name)
    if (found := runs.find_project(connection, name)) is None:
        raise UnknownProject(f"there is no project {name!r}")
    return found


def run(connection: Connection, home: StoredProject, name: str, *, lock: bool = False) -> StoredRun:
    """lock: keeps others from changing it until the transaction ends. Raises InvalidInput, UnknownRun."""
    check_name("run", name)
    if (found := runs.find_run(connection, home.id, name, lock=lock)) is None:
        raise UnknownRun(f"project {home.name!r} has no run {name!r}")
    return found
