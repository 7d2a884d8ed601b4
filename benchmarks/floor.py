"""A server that only parses what Curvewise stores: the least that any server on this framework could cost."""

from fastapi import FastAPI, Request
from fastapi.responses import Response

from app.api.body import read_body
from app.api.columns import read_columns
from app.api.points import PointsIn
from app.api.wire import reply
from app.settings import Settings

app = FastAPI()
app.state.settings = Settings()


@app.get("/readyz")
def ready() -> None:
    """Serves."""


@app.post("/api/v1/projects/{project}/runs/{run}/points")
async def parse(request: Request) -> Response:
    """Parse a batch as Curvewise does, and forget it."""
    _, batch = read_columns(PointsIn, await read_body(request))
    return reply({"accepted": batch.accepted, "rejected": batch.rejected, "not_measured": batch.not_measured})
