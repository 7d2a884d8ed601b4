"""One frozen Settings, made by the caller and passed in."""

import ipaddress
import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import InvalidInput

PREFIX = "CURVEWISE_"


class Settings(BaseModel):
    """Everything about a server that can be set, by a flag of `curvewise serve` or by `CURVEWISE_<NAME>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(
        "sqlite:///curvewise.db", description="Where runs are stored: sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    )
    host: str = Field("127.0.0.1", description="The address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one")
    workers: int = Field(1, ge=1, le=64, description="Server processes")
    max_body_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Largest request body accepted, after decompression [bytes]"
    )
    batch_values: int = Field(
        1_000_000, ge=100, le=10_000_000, description="Numbers that one body may hold, steps and values alike"
    )
    batch_curves: int = Field(10_000, ge=1, le=100_000, description="Curves that one body may hold points of")
    json_depth: int = Field(
        100, ge=8, le=190, description="How deeply what is said about a run, a project or a search may be nested"
    )
    insecure: bool = Field(
        default=False, description="Let everybody in who reaches an address that is not of this machine alone"
    )
    require_token: bool = Field(
        default=False, description="Let nobody in without a token on a loopback address either, as behind a proxy"
    )
    allowed_hosts: str = Field(
        "", description="Names by which the server may be called, comma-separated; on loopback its own are always"
    )
    token_requests_per_s: int = Field(
        300, ge=0, description="How often a token may be used, in each server process; 0 for any number [requests/s]"
    )
    log_requests: bool = Field(default=False, description="Write a line of JSON to stderr for each request")
    streams: int = Field(500, ge=1, description="Streams of events that may be open at once, in each server process")
    run_curves: int = Field(10_000, ge=1, description="Curves that a run may have; the points of more are refused")
    project_runs: int = Field(100_000, ge=1, description="Runs that a project may have; more are not opened")
    run_predictions: int = Field(
        50, ge=1, description="Checkpoints of which a run may have predictions; those of more are refused"
    )
    body_timeout_s: float = Field(60.0, gt=0, description="How long a request's body may take to arrive [s]")
    queue_points: int = Field(
        2_000_000, ge=1, description="Points that may wait to be written before a client gets 503 [points]"
    )
    finding_hold_s: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="How long a finding lasts, or stays away, before it counts in a running job [s]",
    )
    stalled_after_s: float = Field(
        300.0, ge=1, le=86_400, description="No silence shorter than this makes a running job stalled [s]"
    )
    public_url: str = Field("", description="The address at which people reach the server, for links in messages")
    metrics_projects: int = Field(
        100, ge=0, le=10_000, description="Projects with lines of their own at /metrics; the others are added up"
    )
    webhook_allow_private: bool = Field(
        False, description="Whether webhooks may reach private, loopback and link-local addresses"
    )
    webhook_timeout_s: float = Field(15.0, gt=0, le=60, description="How long a webhook's receiver may take [s]")
    webhook_retry_scale: float = Field(
        1.0, gt=0, le=100, description="What the waits of the schedule of retries are multiplied with"
    )

    @property
    def needs_token(self) -> bool:
        """Whether nobody is let in without a token."""
        return self.require_token or not (self.insecure or is_loopback(self.host))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def settings_from(environ: Mapping[str, str] = os.environ, **flags: object) -> Settings:
    """Settings from flags (None means not given), else `CURVEWISE_*`, else defaults. Raises InvalidInput."""
    given: dict[str, object] = {}
    for name in Settings.model_fields:
        if flags.get(name) is not None:
            given[name] = flags[name]
        elif PREFIX + name.upper() in environ:
            given[name] = environ[PREFIX + name.upper()]
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidInput(f"{name} (--{name.replace('_', '-')} or {PREFIX}{name.upper()}): {first['msg']}") from error
