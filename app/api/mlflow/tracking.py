"""How a handler gets hold of the verbs that the app's lifespan made."""

from starlette.requests import Request

from app.api.auth import access_of
from app.service import Service
from app.tracking import Tracking


def tracking(request: Request) -> Tracking:
    """Made with the service, at the first request that needs it; as whoever asks may see it."""
    state = request.app.state
    if (made := getattr(state, "tracking", None)) is None or made.service is not state.service:
        assert isinstance(state.service, Service)  # noqa: S101 - made in the lifespan, or there would be no request
        state.tracking = made = Tracking(state.service)
    assert isinstance(made, Tracking)  # noqa: S101
    return made.seen_by(access_of(request))
