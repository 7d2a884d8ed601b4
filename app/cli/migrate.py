"""`curvewise migrate`: bring a database to this version's schema."""

from typing import Annotated

import typer

from app.settings import settings_from
from app.storage import migrate as schema
from app.storage.database import make_engine


def migrate(
    database_url: Annotated[
        str | None, typer.Option(help="The database; CURVEWISE_DATABASE_URL when not given.", show_default=False)
    ] = None,
) -> None:
    """Upgrade the database to this version's schema: all of it, or nothing on any error."""
    engine = make_engine(settings_from(database_url=database_url).database_url)
    try:
        before = schema.current(engine)
        schema.upgrade(engine)
        after = schema.current(engine)
    finally:
        engine.dispose()
    print(f"already at revision {after}" if before == after else f"upgraded from {before or 'empty'} to {after}")
