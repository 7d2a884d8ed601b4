"""Projects copied from one database to another, losslessly: rows as they are, under new ids.

The copy is made under a name that no client can give, and gets its own when it is whole. Each transaction is short, so
the servers of both databases go on meanwhile; all of it is read as the source stood at one moment.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Select, Table, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from app.curves.points import MAX_NAME_LENGTH
from app.errors import InvalidInput, UnknownProject
from app.storage.database import Database
from app.storage.histories import is_hidden
from app.storage.runs import UNFINISHED, WHOLE
from app.storage.tables import attempts, bins, chunks, curves, mlflow_assets, predictions, projects, runs, searches

_CHUNKS_AT_ONCE = 1000
_POINTS_AT_ONCE = 2**21
_HELD = 2**62  # `settled` of a curve whose chunks are not all there: nobody settles them
_UNFINISHED = f"{UNFINISHED}copying"

Key = tuple[int, int, int]


@dataclass
class Copied:
    """What was copied."""

    projects: int = 0
    runs: int = 0
    points: int = 0


def project_names(connection: Connection) -> list[str]:
    """Every project, in name order."""
    query = select(projects.c.name).where(WHOLE).order_by(projects.c.name)
    return [name for name in connection.execute(query).scalars() if name]


def copy_project(
    source: Connection, target: Database, name: str, new_name: str, noted: Callable[[int, int], None] = lambda *_: None
) -> Copied:
    """Copy a project with all its runs. noted: told how many runs are done, and of how many.

    Raises UnknownProject, and InvalidInput when the target has a project of the new name.
    """
    project = source.execute(select(projects).where(projects.c.name == name)).mappings().one_or_none()
    if project is None:
        raise UnknownProject(f"there is no project {name!r} to copy")
    unfinished = new_name[: MAX_NAME_LENGTH - len(_UNFINISHED)] + _UNFINISHED
    with target.writing() as connection:
        _refuse_taken(connection, new_name)
        _discard(connection, unfinished)
        values = {**project, "name": unfinished}
        del values["id"]
        project_id = connection.execute(insert(projects).values(values).returning(projects.c.id)).scalar_one()
        copy = _Copy(project_id, unfinished, _copy_searches(source, connection, project["id"], project_id))
    try:
        copied = _copy_runs(source, target, project["id"], copy, noted)
        _name(target, copy, new_name)
    except BaseException:
        with target.writing() as connection:
            copy.discard(connection)
        raise
    return copied


@dataclass(frozen=True)
class _Copy:
    """A project that is being made. searches: by their ids at the source, their ids here."""

    project_id: int
    name: str
    searches: Mapping[int | None, int]

    def hold(self, connection: Connection) -> None:
        """Nobody discards it before the transaction ends. Raises InvalidInput when somebody has."""
        ours = select(projects.c.id).where(projects.c.id == self.project_id, projects.c.name == self.name)
        if connection.execute(ours.with_for_update(read=True)).first() is None:
            raise InvalidInput("another copy of the same name was begun meanwhile, or this one was deleted")

    def discard(self, connection: Connection) -> None:
        """A server of the database erases it. Another copy, which has taken its name, is left alone."""
        ours = (projects.c.id == self.project_id) & (projects.c.name == self.name)
        connection.execute(update(projects).where(ours).values(name=None))


def _refuse_taken(connection: Connection, name: str) -> None:
    if connection.execute(select(projects.c.id).where(projects.c.name == name)).first():
        raise InvalidInput(f"there is a project {name!r} already; give the copy another name, or delete that one")


def _discard(connection: Connection, name: str) -> None:
    """What an earlier copy left behind; a server of that database erases it."""
    # One statement: between two of them the other copy could be finished, and that one would go.
    connection.execute(update(projects).where(projects.c.name == name).values(name=None))


def _name(target: Database, copy: _Copy, name: str) -> None:
    with target.writing() as connection:
        _refuse_taken(connection, name)
        copy.hold(connection)
        try:
            connection.execute(update(projects).where(projects.c.id == copy.project_id).values(name=name))
        except IntegrityError:  # made by another server between the two statements
            connection.rollback()
            _refuse_taken(connection, name)
            raise


def _copy_searches(source: Connection, target: Connection, old_project: int, project_id: int) -> dict[int | None, int]:
    """Before the runs, which refer to them. By their ids at the source, their new ids."""
    copied: dict[int | None, int] = {}
    query = select(searches).where(searches.c.project_id == old_project).order_by(searches.c.id)
    for row in source.execute(query).mappings():
        values = {**row, "project_id": project_id}
        old_id = values.pop("id")
        copied[old_id] = target.execute(insert(searches).values(values).returning(searches.c.id)).scalar_one()
    return copied


def _copy_runs(
    source: Connection, target: Database, old_project: int, copy: _Copy, noted: Callable[[int, int], None]
) -> Copied:
    ids = list(source.execute(select(runs.c.id).where(runs.c.project_id == old_project).order_by(runs.c.id)).scalars())
    points = 0
    for done, run_id in enumerate(ids):
        noted(done, len(ids))
        points += _copy_run(source, target, run_id, copy)
    noted(len(ids), len(ids))
    return Copied(1, len(ids), points)


def _copy_run(source: Connection, target: Database, run_id: int, copy: _Copy) -> int:
    run = dict(source.execute(select(runs).where(runs.c.id == run_id)).mappings().one())
    del run["id"]
    settled = {row.curve: row.settled for row in source.execute(_rows(curves, run_id))}
    parts = list(pairwise(_slices(source, run_id)))
    for part in parts:
        with target.writing() as connection:
            copy.hold(connection)
            if part is parts[0]:
                ours = {"project_id": copy.project_id, "search_id": copy.searches.get(run["search_id"])}
                made = insert(runs).values({**run, **ours}).returning(runs.c.id)
                new_id = connection.execute(made).scalar_one()
                _insert(connection, curves, source, _rows(curves, run_id), {"run_id": new_id, "settled": _HELD})
                for table in (attempts, mlflow_assets):
                    _insert(connection, table, source, _rows(table, run_id), {"run_id": new_id})
            for table in (chunks, bins):
                _insert(connection, table, source, _between(table, run_id, part), {"run_id": new_id})
            if part is parts[-1]:
                for curve, through in settled.items():
                    same = (curves.c.run_id == new_id) & (curves.c.curve == curve)
                    connection.execute(update(curves).where(same).values(settled=through))
    for step in source.execute(select(predictions.c.at_step).where(predictions.c.run_id == run_id)).scalars().all():
        with target.writing() as connection:
            copy.hold(connection)
            one = _rows(predictions, run_id).where(predictions.c.at_step == step)
            _insert(connection, predictions, source, one, {"run_id": new_id})
    return _points_seen(source, run_id)


def _points_seen(source: Connection, run_id: int) -> int:
    """How many points of the run anybody sees: what keeps the histories of MLflow's clients is none of them."""
    same = (chunks.c.run_id == curves.c.run_id) & (chunks.c.curve == curves.c.curve)
    by_name = select(curves.c.name, func.sum(chunks.c.points)).join_from(curves, chunks, same)
    found = source.execute(by_name.where(curves.c.run_id == run_id).group_by(curves.c.name))
    return sum(points for name, points in found if not is_hidden(name))


def _slices(source: Connection, run_id: int) -> Iterator[Key]:
    """Keys of chunks between which lies what one transaction takes; at least two."""
    yield (-1, -1, -1)
    key = (chunks.c.curve, chunks.c.attempt, chunks.c.sequence)
    count = points = 0
    last: Key = (0, 0, 0)
    query = select(*key, chunks.c.points).where(chunks.c.run_id == run_id).order_by(*key)
    for *found, more in source.execute(query).all():
        if count and (count == _CHUNKS_AT_ONCE or points + more > _POINTS_AT_ONCE):
            yield last
            count = points = 0
        last = (found[0], found[1], found[2])
        count += 1
        points += more
    yield last


def _rows(table: Table, run_id: int) -> Select[Any]:
    return select(table).where(table.c.run_id == run_id)


def _between(table: Table, run_id: int, part: tuple[Key, Key]) -> Select[Any]:
    key = tuple_(table.c.curve, table.c.attempt, table.c.sequence)
    return _rows(table, run_id).where(key > tuple_(*part[0]), key <= tuple_(*part[1]))


def _insert(
    connection: Connection, table: Table, source: Connection, query: Select[Any], changed: dict[str, object]
) -> None:
    rows: Sequence[dict[str, object]] = [{**row, **changed} for row in source.execute(query).mappings()]
    if rows:
        connection.execute(insert(table), rows)
