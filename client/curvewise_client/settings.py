"""Where points go and where they wait: from arguments, else from `CURVEWISE_*`, else defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

DEFAULT_URL = "http://127.0.0.1:8000"
_NO = {"", "0", "false", "no", "off"}


class Settings(NamedTuple):
    """url: the server's root. token: sent as a bearer token. spool: the directory in which points wait to be sent."""

    url: str
    token: str | None
    spool: Path


def settings_from(
    environ: Mapping[str, str], *, url: str | None = None, token: str | None = None, spool: str | Path | None = None
) -> Settings:
    """Arguments go before the environment."""
    return Settings(
        url=(url or environ.get("CURVEWISE_URL") or DEFAULT_URL).rstrip("/"),
        token=token or environ.get("CURVEWISE_TOKEN") or None,
        spool=_absolute(spool or environ.get("CURVEWISE_SPOOL") or _default_spool(environ)),
    )


def identity(
    environ: Mapping[str, str], project: str | None, run: str | None, search: str | None, search_step: int | None
) -> tuple[str, str, str | None, int | None]:
    """Project, run, search and its step: arguments go before the environment, which names a search for its run alone.

    What neither names is empty, which is no name.
    """
    if run is None and environ.get("CURVEWISE_RUN"):
        step = environ.get("CURVEWISE_SEARCH_STEP", "")
        search = search or environ.get("CURVEWISE_SEARCH") or None
        search_step = search_step or (int(step) if step.isdecimal() else None)
    return (
        project or environ.get("CURVEWISE_PROJECT") or "",
        run or environ.get("CURVEWISE_RUN") or "",
        search,
        search_step,
    )


def check_named(name: str) -> None:
    """Raises ValueError where neither an argument nor the environment names a project or a run."""
    if not name:
        raise ValueError("it has no name; call start(project, run), or set CURVEWISE_PROJECT and CURVEWISE_RUN")


def disabled(environ: Mapping[str, str]) -> bool:
    """Whether `CURVEWISE_DISABLED` says that nothing is to be written or sent."""
    return environ.get("CURVEWISE_DISABLED", "").strip().lower() not in _NO


def _default_spool(environ: Mapping[str, str]) -> Path:
    state = environ.get("XDG_STATE_HOME") or Path("~/.local/state")
    return Path(state) / "curvewise" / "spool"


def _absolute(spool: str | Path) -> Path:
    """Where it is now, so that a job which changes its directory keeps its spool."""
    try:
        return Path(spool).expanduser().absolute()
    except RuntimeError:  # a container's user without a home
        return Path("curvewise-spool").absolute()
