"""`curvewise backup`: a copy of the database, while servers go on."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import refuse_existing
from app.settings import settings_from
from app.storage.backup import back_up, sqlite_file

DatabaseUrl = Annotated[
    str | None, typer.Option(help="The database; CURVEWISE_DATABASE_URL when not given.", show_default=False)
]
Replace = Annotated[bool, typer.Option("--replace", help="Put it in place of a file that is there.")]


def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes.", show_default=False)],
    database_url: DatabaseUrl = None,
    replace: Replace = False,
) -> None:
    """Copy a SQLite database as it stands at one moment, and check the copy. Servers may go on writing."""
    source = sqlite_file(settings_from(database_url=database_url).database_url)
    refuse_existing(file, source, replace=replace)
    size = back_up(source, file)
    print(f"{file}: {size:,} bytes, checked")
