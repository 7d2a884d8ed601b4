"""Sessions of the page: a token that was pasted once, as a signed cookie that holds no secret.

The cookie names the token by its public id and is signed by a key made of the stored digest, so a session ends when its
token is revoked or expires, and any replica can read it.
"""

from itsdangerous import BadSignature, TimestampSigner
from starlette.responses import Response

from app.access import Access
from app.tokens import Tokens

COOKIE = "curvewise_session"
_LASTS_S = 14 * 24 * 3600


def start_session(response: Response, tokens: Tokens, access: Access, *, secure: bool) -> None:
    """Let the browser in that gets this response. secure: it came by TLS, and the cookie is sent by nothing else."""
    assert access.token is not None  # noqa: S101 - a token was pasted
    key = tokens.session_key(access.token)
    if key is None:
        return  # revoked since
    value = TimestampSigner(key, salt=COOKIE).sign(access.token).decode()
    response.set_cookie(COOKIE, value, max_age=_LASTS_S, httponly=True, samesite="strict", secure=secure, path="/")


def end_session(response: Response) -> None:
    """Forget it in the browser."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def open_session(tokens: Tokens, cookie: str) -> Access | None:
    """What the cookie's session may see; None when it is over or was never begun. Raises StorageUnavailable."""
    token_id = cookie.partition(".")[0]
    key = tokens.session_key(token_id)
    if key is None:
        return None
    try:
        signed = TimestampSigner(key, salt=COOKIE).unsign(cookie, max_age=_LASTS_S)
    except BadSignature:
        return None
    return tokens.access_by_id(token_id) if signed == token_id.encode() else None
