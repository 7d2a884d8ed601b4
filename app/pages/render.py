"""Templates to pages: the one environment, the words it knows, and the headers that every page carries."""

import re
from collections.abc import Mapping
from functools import cache
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from app.pages.sessions import COOKIE
from app.pages.static_files import static_path
from app.reports import words

# Names, tags and configs come from strangers: were one ever taken for markup, no script and no style of it would run.
# Nothing is fetched from elsewhere, and nobody may frame a page.
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, forms of our own would come from the origin `null`
    "Cross-Origin-Opener-Policy": "same-origin",
}

_CODE = re.compile("`([^`]+)`")


def page(request: Request, template: str, *, status: int = 200, here: str = "", **content: object) -> HTMLResponse:
    """A page, or a part of one where the template extends nothing. here: the entry of the navigation it belongs to."""
    base = request.scope.get("root_path", "").rstrip("/")
    text = (
        _environment()
        .get_template(template)
        .render(
            base=base, static=lambda name: base + static_path(name), here=here, session=in_session(request), **content
        )
    )
    # A page may be shown again after Back as it was, but must not be taken for what is there now.
    return HTMLResponse(text, status, {**SECURITY_HEADERS, "Cache-Control": "no-cache"})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("app.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "step": words.step,
        "confidence": words.confidence,
        "counted": lambda n, word: f"{n:,} {word}{'' if n == 1 else 's'}",
        "coded": coded,
        "part": part,
        "query": query,
        "sentence": sentence,
        "title": lambda rule: rule.replace("_", " ").capitalize(),
        "measure": lambda name: name.replace("_", " "),
    }
    return environment


def in_session(request: Request) -> bool:
    """Whether somebody has signed in: then they may sign out."""
    return COOKIE in request.cookies


def coded(text: str) -> Markup:
    """Text in which what stands between backticks is code, whatever it contains."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def part(name: str) -> str:
    """A name as one part of a path, whatever it contains."""
    return quote(name, safe="")


def query(fields: Mapping[str, object]) -> str:
    """`?a=1&b=2` of the fields that are set, lists as repeated fields; empty when none is."""
    given = {name: value for name, value in fields.items() if value not in (None, "", [], ())}
    return f"?{urlencode(given, doseq=True)}" if given else ""


def sentence(text: str) -> str:
    """A clause as a sentence; a name such as `val/loss` at its beginning stays as it is."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() and first != "lr" else text
