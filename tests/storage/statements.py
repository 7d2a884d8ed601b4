"""The SQL that this process sends, parsed: which tables a statement reads or writes without saying of which run."""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlglot import exp

from app import storage
from app.storage.tables import metadata

STORAGE = Path(storage.__file__).parent
# They make the schema and the file, and touch no rows.
NOT_ROWS = {"migrate", "database", "backup"}
SMALL = {"projects", "runs", "events", "webhooks", "deliveries", "tokens", "audit", "searches"}
HOT = {name for name in metadata.tables if name not in SMALL}
# A run is found by its id, or among those of its project.
KEYS = {name: {"run_id"} for name in HOT} | {"runs": {"id", "project_id"}}


@dataclass(frozen=True)
class Sent:
    """A statement, and the line of app/storage that sent it."""

    sql: str
    dialect: str
    module: str
    function: str
    line: int


@contextmanager
def listening() -> Iterator[list[Sent]]:
    """Every statement that this process sends to any database, but for those with the option `by_test`."""
    sent: list[Sent] = []

    def note(connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        if connection.get_execution_options().get("by_test"):
            return
        frame = sys._getframe()
        while frame and Path(frame.f_code.co_filename).parent != STORAGE:
            frame = frame.f_back
        if frame is None:
            sent.append(Sent(sql, connection.dialect.name, "?", "?", 0))
            return
        function = frame.f_code.co_qualname
        module = Path(frame.f_code.co_filename).stem
        sent.append(Sent(sql, connection.dialect.name, module, function, frame.f_lineno))

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


def unkeyed(statement: exp.Expression, outer: frozenset[str] = frozenset()) -> set[str]:
    """The tables of KEYS that the statement reads or writes without saying of which run.

    outer: names by which an enclosing statement knows tables whose run is said.
    """
    found: set[str] = set()
    said = set(outer)
    for cte in statement.find_all(exp.CTE):
        if nearest(cte.parent) is statement:
            inside = unkeyed(cte.this)
            found |= inside
            said |= set() if inside else {cte.alias}
    tables = {table.alias_or_name: table for table in statement.find_all(exp.Table) if nearest(table) is statement}
    if isinstance(statement, exp.Insert):
        target = statement.find(exp.Table)
        columns = {column.name for column in statement.this.expressions}
        # A run's own row has no id before it is there.
        if target.name in HOT and not KEYS[target.name] <= columns:
            found.add(target.name)
        tables = {}
    said -= tables.keys() & {name for name in tables if tables[name].name in KEYS}
    conditions = list(conjuncts(statement))
    while more := {name for one in conditions for name in bound(one, tables, said) if name not in said}:
        said |= more
    found |= {table.name for name, table in tables.items() if table.name in KEYS and name not in said}
    for inner in statement.find_all(exp.Select):
        if inner is not statement and nearest(inner.parent) is statement and not inner.find_ancestor(exp.CTE):
            found |= unkeyed(inner, frozenset(said))
    return found


def nearest(node: exp.Expression | None) -> exp.Expression | None:
    """The statement that a node is directly part of."""
    while node is not None and not isinstance(node, exp.Select | exp.Update | exp.Delete | exp.Insert):
        node = node.parent
    return node


def conjuncts(statement: exp.Expression) -> Iterator[tuple[exp.Expression, str | None]]:
    """Conditions that hold for every row; with a name, only for the rows of that table."""
    for condition in statement.find_all(exp.EQ, exp.In):
        above = condition.parent
        while isinstance(above, exp.And | exp.Paren):
            above = above.parent
        if isinstance(above, exp.Where | exp.Join) and above.parent is statement:
            outer = isinstance(above, exp.Join) and above.side
            yield condition, above.this.alias_or_name if outer else None


def bound(condition: tuple[exp.Expression, str | None], tables: dict[str, exp.Table], said: set[str]) -> Iterator[str]:
    """The names of tables whose run the condition says."""
    comparison, only = condition
    if isinstance(comparison, exp.In):
        query = comparison.args.get("query")
        if query is not None and query.find(exp.Table):
            return
        sides = [(comparison.this, None)]
    else:
        sides = [(comparison.left, comparison.right), (comparison.right, comparison.left)]
    for column, other in sides:
        if not isinstance(column, exp.Column) or column.table not in tables or only not in {None, column.table}:
            continue
        if column.name not in KEYS.get(tables[column.table].name, ()):
            continue
        named = {one.table for one in other.find_all(exp.Column)} if other else set()
        if named <= said:
            yield column.table


def calls() -> Iterator[tuple[str, int, int]]:
    """(module, first line, last line) of everything in app/storage that sends a statement."""
    for file in sorted(STORAGE.glob("*.py")):
        if file.stem in NOT_ROWS:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in {"executemany", "executescript"}, file
                if node.func.attr in {"execute", "exec_driver_sql"}:
                    yield file.stem, node.lineno, node.end_lineno or node.lineno
