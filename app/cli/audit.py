"""`curvewise audit`: who deleted or changed what."""

import json
from typing import Annotated

import typer
from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.reports.words import plain
from app.settings import settings_from
from app.storage import audit as trail
from app.storage.database import Database, make_engine
from app.storage.migrate import prepare


def audit(
    project: Annotated[str | None, typer.Option(help="Of one project only.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The most entries.")] = 100,
    database_url: Annotated[
        str | None, typer.Option(help="The database; CURVEWISE_DATABASE_URL when not given.", show_default=False)
    ] = None,
) -> None:
    """Print who deleted runs and projects, changed settings, tokens and webhooks: the latest first."""
    database = Database(make_engine(settings_from(database_url=database_url).database_url))
    try:
        prepare(database.engine)
        with database.reading() as connection:
            entries = trail.latest(connection, limit=limit, project=project)
    finally:
        database.close()
    table = Table(box=HORIZONTALS, pad_edge=False, header_style="bold")
    for title in ("at (UTC)", "by", "did", "project", "run", "detail"):
        table.add_column(title, overflow="fold")
    for one in entries:
        detail = json.dumps(one.detail) if one.detail else ""
        cells = (f"{one.at:%Y-%m-%d %H:%M:%S}", one.by, one.did, one.project or "", one.run or "", detail)
        table.add_row(*(Text(plain(cell)) for cell in cells))
    Console().print(table)
