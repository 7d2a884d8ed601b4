"""Charts as pictures: the same spec that a page draws, drawn here. Nothing is fetched: all it needs is built in."""

import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

WIDTH = 860  # where a spec leaves its width to the page it stands on [pixels]
_SCALE = 2.0  # pixels of a picture to one of the page, for sharp print


def svg(spec: Mapping[str, Any]) -> str:
    """The chart as an SVG document."""
    return str(_engine().vegalite_to_svg(_fixed(spec), allowed_base_urls=[]))


def png(spec: Mapping[str, Any]) -> bytes:
    """The chart as a PNG file."""
    return bytes(_engine().vegalite_to_png(_fixed(spec), scale=_SCALE, allowed_base_urls=[]))


@cache
def _engine() -> Any:
    """Loaded by the first picture: a server that draws none holds no JavaScript engine."""
    return import_module("vl_convert")


def _fixed(spec: Mapping[str, Any]) -> str:
    width = WIDTH if spec.get("width") == "container" else spec.get("width")
    return json.dumps({**spec, "width": width})
