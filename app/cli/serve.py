"""`curvewise serve`: the server process."""

import os
import signal
import socket
import sys
import threading
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated, NoReturn

import typer
import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from app.api.app import create_app
from app.cli.console import say
from app.errors import CurvewiseError
from app.meters import SHARED
from app.settings import PREFIX, Settings, settings_from
from app.storage.database import Database, make_engine
from app.storage.migrate import prepare
from app.tokens import Tokens

_GRACE_S = 10  # how long requests under way may take once the server was told to stop


class CannotListen(CurvewiseError):
    """The address is in use, or is none of this machine's."""


class Unlocked(CurvewiseError):
    """A server that others reach has no token yet."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8000")
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="sqlite:///FILE or postgresql://USER@HOST/DATABASE", show_default="sqlite:///curvewise.db"),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes.", show_default="1")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let everybody in who reaches an address that others reach as well.")
    ] = False,
    require_token: Annotated[
        bool, typer.Option("--require-token", help="Ask for a token on loopback as well, as behind a proxy.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="A name by which the server may be called; may be repeated.", show_default=False),
    ] = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve the REST API; on an address that others reach, to whoever has a token.

    Each option can also be given as CURVEWISE_HOST, CURVEWISE_PORT, and so on.
    """
    settings = settings_from(
        host=host,
        port=port,
        database_url=database_url,
        workers=workers,
        insecure=insecure or None,
        require_token=require_token or None,
        allowed_hosts=",".join(allowed_host) if allowed_host else None,
    )
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, _exit)  # uvicorn stops gracefully, then raises the signal again: this is what it meets
    if until_stdin_closes:
        threading.Thread(target=_stop_when_stdin_closes, daemon=True).start()
    url = _prepare_database(settings)
    with _listen(settings.host, settings.port) as listening:
        address = _address(listening)
        print(f"Curvewise is at {address}", flush=True)
        say(f"runs are stored in {url}; the API is described at {address}/docs")
        _run(settings, listening)


def _run(settings: Settings, listening: socket.socket) -> None:
    if settings.workers == 1:
        uvicorn.Server(_config(create_app(settings), settings)).run(sockets=[listening])
        return
    # Worker processes import the application anew: the environment is how settings reach them.
    for name, value in settings.model_dump().items():
        os.environ[PREFIX + name.upper()] = str(value)
    # Any worker may be asked what all of them have counted.
    with TemporaryDirectory(prefix="curvewise-metrics-") as counted:
        os.environ.setdefault(SHARED, counted)
        supervisor = Multiprocess(_config("app.api.app:create_app_from_environ", settings), sockets=[listening])
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)


def _config(app: FastAPI | str, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _prepare_database(settings: Settings) -> str:
    """Migrate or check the schema before anyone is told an address; the URL as it may be shown."""
    engine = make_engine(settings.database_url)
    try:
        prepare(engine)
        _refuse_unlocked(settings, Tokens(Database(engine)))
        return engine.url.set(drivername=engine.dialect.name).render_as_string(hide_password=True)
    finally:
        engine.dispose()


def _refuse_unlocked(settings: Settings, tokens: Tokens) -> None:
    if settings.needs_token and not tokens.any_valid():
        raise Unlocked(
            f"nobody could be let in: a server on {settings.host} asks for a token, and none is valid. "
            "Make one with: curvewise token create --project PROJECT --role write (--help has more). "
            "Or let everybody in who reaches it: --insecure"
        )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    # Accepted connections inherit it. The event loop sets it only where a socket names its protocol, which this one
    # does not; without it every small reply waits 40 ms for the client's delayed acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _stop_when_stdin_closes() -> None:
    """End with the process that holds the other end, however it ends: even kill -9 leaves no orphan."""
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
