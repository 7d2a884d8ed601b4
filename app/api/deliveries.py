"""What was sent to a webhook, what waits to be, and what was given up and may be sent again."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from app import errors
from app.api.openapi import documented
from app.api.problems import INVALID_INPUT
from app.api.webhooks import NUMBER, ONE_WEBHOOK, WebhookId, WebhooksHere
from app.api.wire import Out, ProjectName, reply
from app.storage.deliveries import Delivery, State

router = APIRouter(tags=["webhooks"])

DeliveryId = Annotated[int, Path(**NUMBER, description="The delivery's number.", examples=[12])]


class DeliveryOut(Out):
    """One message to one webhook, and what became of it."""

    id: Annotated[int, Field(ge=1, description="Its number [counted from 1].")]
    message_id: Annotated[str, Field(description="Its `webhook-id`: the same however often it is sent.")]
    kind: Annotated[str, Field(description="What it tells: a kind of event, or `ping`.", examples=["run_finished"])]
    state: Annotated[State, Field(description="`waiting` to be sent (again), `delivered`, or given up: `dead`.")]
    attempts: Annotated[
        int, Field(ge=0, description="How often it was tried since it was made or replayed [attempts].")
    ]
    created_at: Annotated[datetime, Field(description="When it was made [UTC].")]
    tried_at: Annotated[datetime | None, Field(description="When the last attempt began [UTC]; null when none did.")]
    due_at: Annotated[datetime | None, Field(description="When it is tried next [UTC]; null when it is not.")]
    status: Annotated[
        int | None, Field(description="The last answer's HTTP status [status]; null when there was none.")
    ]
    error: Annotated[str | None, Field(description="Why the last attempt failed; null when it did not.")]


class DeliveryPage(Out):
    """One page of deliveries, newest first."""

    items: Annotated[list[DeliveryOut], Field(description="The deliveries of this page, newest first.")]
    next: Annotated[
        int | None, Field(description="Send it as `before` for the page of older ones; null at the end [deliveries].")
    ]


_DELIVERY = {
    "id": 12,
    "message_id": "msg_0f3c8a5e7b9d4c1fa2b3c4d5e6f70819",
    "kind": "finding_appeared",
    "state": "waiting",
    "attempts": 1,
    "created_at": "2026-01-31T09:00:00Z",
    "tried_at": "2026-01-31T09:00:01Z",
    "due_at": "2026-01-31T09:00:06Z",
    "status": 500,
    "error": "answered 500",
}
_ONE_DELIVERY = (errors.UnknownProject, errors.UnknownWebhook, errors.UnknownDelivery, INVALID_INPUT)


def _delivery(found: Delivery) -> Response:
    return reply(DeliveryOut.model_validate(found))


@router.post(
    "/api/v1/projects/{project}/webhooks/{webhook}/ping",
    summary="Try a webhook",
    response_model=DeliveryOut,
    responses=documented(
        *ONE_WEBHOOK,
        errors.StorageFull,
        description="A message of the kind `ping` waits to be sent, once; read its delivery to see what became of it.",
        example={**_DELIVERY, "kind": "ping", "attempts": 0, "tried_at": None, "status": None, "error": None},
    ),
)
def ping_webhook(request: Request, verbs: WebhooksHere, project: ProjectName, webhook: WebhookId) -> Response:
    """Send a message that tells nothing. A webhook that is disabled and takes it is told of events again."""
    made = verbs.ping(project, webhook)
    request.app.state.courier.wake()
    return _delivery(made)


@router.get(
    "/api/v1/projects/{project}/webhooks/{webhook}/deliveries",
    summary="List a webhook's deliveries",
    response_model=DeliveryPage,
    responses=documented(
        *ONE_WEBHOOK,
        description="One page of deliveries, newest first; those of the last 30 days are kept.",
        example={"items": [_DELIVERY], "next": None},
    ),
)
def list_deliveries(
    verbs: WebhooksHere,
    project: ProjectName,
    webhook: WebhookId,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most items in the reply [items].")] = 100,
    before: Annotated[
        int | None, Query(**NUMBER, description="Only older ones: the `next` of the page before.")
    ] = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
) -> Response:
    """What was sent, what waits to be, and what was given up and may be replayed."""
    found = verbs.sent(project, webhook, limit=limit + 1, before=before, state=state)
    items = [DeliveryOut.model_validate(one) for one in found[:limit]]
    return reply(DeliveryPage(items=items, next=items[-1].id if len(found) > limit else None))


@router.get(
    "/api/v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}",
    summary="Read a delivery",
    response_model=DeliveryOut,
    responses=documented(
        *_ONE_DELIVERY, errors.StorageUnavailable, description="What became of it.", example=_DELIVERY
    ),
)
def get_delivery(verbs: WebhooksHere, project: ProjectName, webhook: WebhookId, delivery: DeliveryId) -> Response:
    """One message, and what became of it so far."""
    return _delivery(verbs.delivery(project, webhook, delivery))


@router.post(
    "/api/v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}/replay",
    summary="Send a delivery again",
    response_model=DeliveryOut,
    responses=documented(
        *_ONE_DELIVERY,
        errors.StorageUnavailable,
        errors.StorageFull,
        description="It waits to be sent again, under the same `webhook-id`.",
        example={**_DELIVERY, "attempts": 0},
    ),
)
def replay_delivery(
    request: Request, verbs: WebhooksHere, project: ProjectName, webhook: WebhookId, delivery: DeliveryId
) -> Response:
    """Send again what was given up, or what a receiver has lost; it is tried as often as a new message."""
    waiting = verbs.replay(project, webhook, delivery)
    request.app.state.courier.wake()
    return _delivery(waiting)
