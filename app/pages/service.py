"""How a page gets hold of the service that the app's lifespan made."""

from typing import Annotated

from fastapi import Depends, Request

from app.service import Service


async def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101 - made in the lifespan, or there would be no request
    return service


ServiceHere = Annotated[Service, Depends(_service)]
