"""`curvewise rules`: what is looked for."""

import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from app.reports import catalogue
from app.rules.catalogue import CATALOGUE, CATALOGUE_VERSION


class CatalogueFormat(StrEnum):
    """How the catalogue is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


def rules(
    catalogue_format: Annotated[
        CatalogueFormat, typer.Option("--format", help="How to print it.")
    ] = CatalogueFormat.TABLE,
) -> None:
    """Print the catalogue of rules: what each detects, from what, and its tunable params."""
    match catalogue_format:
        case CatalogueFormat.TABLE:
            Console().print(catalogue.layout(CATALOGUE))
        case CatalogueFormat.MARKDOWN:
            sys.stdout.write(catalogue.to_markdown(CATALOGUE, CATALOGUE_VERSION))
        case CatalogueFormat.JSON:
            sys.stdout.write(catalogue.to_json(CATALOGUE, CATALOGUE_VERSION))
