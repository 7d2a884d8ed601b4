"""Webhooks: a project subscribes URLs to what happens to its runs."""

from datetime import datetime
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response
from pydantic import Field

from app import errors
from app.api.auth import ActorHere
from app.api.body import FACTS_LIMIT_BYTES, JSON, read_model
from app.api.openapi import Responses, deleted, documented, one_body
from app.api.problems import INVALID_INPUT, UNREADABLE_BODY
from app.api.wire import Out, ProjectName, Strictly, reply
from app.storage.events import Kind
from app.storage.webhooks import Template, Webhook
from app.webhooks.courier import Courier
from app.webhooks.subscriptions import LONGEST_URL, Webhooks

router = APIRouter(tags=["webhooks"])

KINDS: tuple[Kind, ...] = (
    "finding_appeared",
    "finding_resolved",
    "run_finished",
    "run_failed",
    "run_stalled",
    "run_resumed",
)
NUMBER = {"ge": 1, "le": 2**63 - 1}
WebhookId = Annotated[int, Path(**NUMBER, description="The webhook's number.", examples=[7])]


async def _verbs(request: Request) -> Webhooks:
    courier = request.app.state.courier
    assert isinstance(courier, Courier)  # noqa: S101 - made in the lifespan, or there would be no request
    return Webhooks(courier.database, courier.manners)


WebhooksHere = Annotated[Webhooks, Depends(_verbs)]


class WebhookIn(Strictly):
    """Where to tell what."""

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_URL,
            description="An http or https address. Private ones are taken where the operator allows them.",
            examples=["https://ci.example/hooks/curvewise"],
        ),
    ]
    events: Annotated[
        list[Kind],
        Field(min_length=1, max_length=len(KINDS), description="What to tell; everything when absent."),
    ] = [*KINDS]  # noqa: RUF012 - pydantic copies it
    template: Annotated[
        Template,
        Field(description="The shape of the body: as Standard Webhooks has it, or what Slack or Discord show."),
    ] = "standard"


class WebhookOut(Out):
    """A subscription. Its secret was shown when it was made, and its URL is shortened, since that may hold a token."""

    id: Annotated[int, Field(ge=1, description="Its number, the same for ever [counted from 1].")]
    url: Annotated[str, Field(description="The address, with all but the last characters of its path left out.")]
    events: Annotated[list[Kind], Field(description="What it is told.")]
    template: Annotated[Template, Field(description="The shape of the body.")]
    created_at: Annotated[datetime, Field(description="When it was subscribed [UTC].")]
    disabled_at: Annotated[
        datetime | None,
        Field(description="When its receiver answered 410: it is told no more until it takes a ping [UTC]; else null."),
    ]


class WebhookMade(WebhookOut):
    """A new subscription, and the secret that its messages are signed with: it is shown this once."""

    secret: Annotated[str, Field(description="`whsec_` and base64, for the verifier of Standard Webhooks.")]


class WebhookList(Out):
    """A project's webhooks."""

    items: Annotated[list[WebhookOut], Field(description="All of them, oldest first.")]


_SUBSCRIBED = {
    "id": 7,
    "url": "https://ci.example/…wise",
    "events": ["finding_appeared", "run_stalled"],
    "template": "standard",
    "created_at": "2026-01-31T09:00:00Z",
    "disabled_at": None,
}
_MADE = {**_SUBSCRIBED, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="}
ONE_WEBHOOK = (errors.UnknownProject, errors.UnknownWebhook, INVALID_INPUT, errors.StorageUnavailable)


def _made(found: Responses) -> Responses:
    """The operation makes something, whatever was there before."""
    return {201 if status == 200 else status: response for status, response in found.items()}


def _shown(webhook: Webhook) -> dict[str, object]:
    origin, slash, path = webhook.url.partition("://")[2].partition("/")
    scheme = webhook.url.partition("://")[0]
    ending = f"/…{path[-4:]}" if len(path) > 8 else slash + "…" if path else slash
    return {**vars(webhook), "url": f"{scheme}://{origin.partition('?')[0]}{ending}"}


@router.get(
    "/api/v1/projects/{project}/webhooks",
    summary="List webhooks",
    response_model=WebhookList,
    responses=documented(
        errors.UnknownProject,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="All webhooks of the project.",
        example={"items": [_SUBSCRIBED]},
    ),
)
def list_webhooks(verbs: WebhooksHere, project: ProjectName) -> Response:
    """Whom the project tells what happens to its runs."""
    return reply(WebhookList(items=[WebhookOut.model_validate(_shown(one)) for one in verbs.listed(project)]))


@router.post(
    "/api/v1/projects/{project}/webhooks",
    summary="Subscribe a URL",
    status_code=201,
    response_model=WebhookMade,
    responses=_made(
        documented(
            UNREADABLE_BODY,
            errors.UnknownProject,
            errors.TooLarge,
            errors.UnsupportedEncoding,
            INVALID_INPUT,
            errors.StorageUnavailable,
            errors.StorageFull,
            description="It is told of what happens from now on. The secret is not shown again.",
            example=_MADE,
        )
    ),
    openapi_extra=one_body(
        JSON,
        WebhookIn,
        {
            "receiver": {
                "url": "https://ci.example/hooks/curvewise",
                "events": ["finding_appeared", "run_stalled"],
                "template": "standard",
            }
        },
        required=True,
    ),
)
async def subscribe(request: Request, verbs: WebhooksHere, actor: ActorHere, project: ProjectName) -> Response:
    """Have a URL told what happens to the project's runs, in messages signed as Standard Webhooks has it.

    A message that is not taken is tried again for three days. A project has at most 20 webhooks.
    """
    said = await read_model(request, WebhookIn, empty=False, limit=FACTS_LIMIT_BYTES)
    made = await to_thread.run_sync(lambda: verbs.subscribe(project, said.url, said.events, said.template, by=actor))
    return reply(WebhookMade.model_validate({**_shown(made), "secret": made.secret}), 201)


@router.get(
    "/api/v1/projects/{project}/webhooks/{webhook}",
    summary="Read a webhook",
    response_model=WebhookOut,
    responses=documented(*ONE_WEBHOOK, description="The webhook.", example=_SUBSCRIBED),
)
def get_webhook(verbs: WebhooksHere, project: ProjectName, webhook: WebhookId) -> Response:
    """One webhook, without its secret."""
    return reply(WebhookOut.model_validate(_shown(verbs.get(project, webhook))))


@router.delete(
    "/api/v1/projects/{project}/webhooks/{webhook}",
    summary="Delete a webhook",
    status_code=204,
    response_class=Response,
    responses=deleted(errors.UnknownProject, errors.UnknownWebhook, description="Nothing more is sent to it."),
)
def delete_webhook(verbs: WebhooksHere, actor: ActorHere, project: ProjectName, webhook: WebhookId) -> None:
    """Stop telling, what waits to be sent included. The record of what was sent goes as well."""
    verbs.remove(project, webhook, by=actor)
