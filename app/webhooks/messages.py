"""What a webhook is told: an event as Standard Webhooks, Slack or Discord have it. Pure.

Names, tags and summaries hold whatever users typed. In chats nobody is mentioned by them and nothing is formatted.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from app.storage.events import Kind
from app.storage.webhooks import Template

MessageKind = Kind | Literal["ping"]

LARGEST_BODY = 20_000  # [bytes]; Standard Webhooks' advice
_LONGEST_TEXT = 500  # of a fact [characters]
# Of what chats show, where each character may become five: Discord takes 2,000 and Slack 3,000 a block.
_LONGEST_NAME, _LONGEST_SUMMARY, _LONGEST_CHAT, _LONGEST_BLOCK = 100, 300, 2000, 3000  # [characters]
_FACTS = ("code", "rule", "severity", "confidence", "onset_step", "summary", "through_step", "stalled_since", "state")

# What chats make something of. Backslashes first, or they would be doubled again.
_DISCORD_MARKUP = re.compile(r"([\\*_~`|>#\[\]()<:@-])")
_SLACK_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SLACK_MARKUP = re.compile("([*_~`])")
_UNSEEN = "\u2060"  # word joiner: keeps what is before and after from being read as one mark

_WORDS: Mapping[MessageKind, str] = {
    "finding_appeared": "found",
    "finding_resolved": "no longer found",
    "run_finished": "finished",
    "run_failed": "failed",
    "run_stalled": "stalled: no points for several times its usual interval",
    "run_resumed": "sends points again",
    "ping": "this webhook works",
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What happened, and to what. payload: of a finding its code, rule, severity, ...; of a run what is known.

    page: where people read about it, a path of the server or a whole URL; empty: nowhere.
    """

    kind: MessageKind
    at: datetime
    project: str
    run: str | None
    payload: Mapping[str, Any]
    page: str = ""


def page_of(public_url: str, project: str, run: str) -> str:
    """Where people read about a run."""
    return f"{public_url.rstrip('/')}/projects/{quote(project, safe='')}/runs/{quote(run, safe='')}"


def render(said: Said, template: Template) -> str:
    """The body as it is signed and sent: JSON of fewer than LARGEST_BODY bytes."""
    shape = {"standard": _standard, "slack": _slack, "discord": _discord}[template]
    # ASCII: an encoding that a receiver guesses wrongly would break the signature, and half a surrogate pair has none.
    body = json.dumps(shape(said), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    assert len(body) < LARGEST_BODY  # noqa: S101 - names and facts have bounds
    return body


def _standard(said: Said) -> dict[str, Any]:
    facts = {name: _bounded(said.payload[name]) for name in _FACTS if name in said.payload}
    data = {"project": said.project, "run": said.run, "url": said.page or None, **facts}
    return {"type": said.kind, "timestamp": said.at.isoformat().replace("+00:00", "Z"), "data": data}


def _slack(said: Said) -> dict[str, Any]:
    text = _slack_text(_sentence(said))
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}]
    link = f"<{said.page.translate(_SLACK_ENTITIES)}|Open the run>"
    if said.page.startswith("http") and len(link) <= _LONGEST_BLOCK:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": link, "verbatim": True}]})
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _discord(said: Said) -> dict[str, Any]:
    text = _DISCORD_MARKUP.sub(r"\\\1", _sentence(said))
    link = f"\n<{said.page}>"
    if not said.page.startswith("http") or len(text) + len(link) > _LONGEST_CHAT:
        link = ""
    # Nobody is notified whatever the text holds; flag 4: what the text links to is not shown below it.
    return {"content": text + link, "allowed_mentions": {"parse": []}, "flags": 4}


def _slack_text(text: str) -> str:
    return _SLACK_MARKUP.sub(rf"{_UNSEEN}\1{_UNSEEN}", text.translate(_SLACK_ENTITIES))


def _sentence(said: Said) -> str:
    where = "/".join(_shortened(name, _LONGEST_NAME) for name in (said.project, said.run) if name is not None)
    if "rule" not in said.payload:
        return f"{where}: {_WORDS[said.kind]}"
    facts = said.payload
    told = f"{where}: {facts['code']} {facts['rule']} ({facts['severity']}) {_WORDS[said.kind]}"
    if said.kind != "finding_appeared":
        return told
    return f"{told}. {_shortened(str(facts.get('summary', '')), _LONGEST_SUMMARY)}"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _bounded(value: object) -> object:
    """A fact that fits; NaN and infinities as the strings that the API has for them."""
    if isinstance(value, float) and value - value != 0:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value
