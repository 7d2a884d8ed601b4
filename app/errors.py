"""Everything that Curvewise raises on purpose.

    CurvewiseError
    |-- InvalidInput              what the caller sent cannot be meant; nothing was stored
    |   |-- UnreadableBody        not JSON, torn compression, nested too deep
    |   |-- UnreadableFile        a log on disk that cannot be read; knows the path and the line
    |   |-- LimitReached          more runs or curves than there may be
    |   `-- InvalidParams         params of a rule that does not exist, or out of bounds
    |-- NotFound
    |   |-- UnknownProject
    |   |-- UnknownRun
    |   |-- UnknownCurve
    |   |-- UnknownSearch
    |   |-- UnknownWebhook
    |   |-- UnknownDelivery
    |   |-- UnknownPredictions
    |   `-- UnknownToken
    |-- NotLetIn                  a token is needed, and none that lets anybody in was sent
    |-- NotAllowed                the token does not allow this
    |-- ForeignRequest            by a name that is none of this server's, or from a page of another site
    |-- TooManyRequests           a token was used more often than it may be; try again later
    |-- SlowBody                  the body did not arrive in time
    |-- TooLarge                  the body is over the limit
    |-- UnsupportedEncoding       a Content-Encoding or Content-Type that is not understood
    |-- Unavailable               try again later; nothing was stored
    |   |-- Overloaded            the write queue is full
    |   |-- StorageUnavailable    the database does not answer
    |   `-- StorageFull           the disk is full
    |-- MissingExtra              a part of Curvewise that is not installed here
    `-- SchemaMismatch            the database has another schema than this version needs

No HTTP here: one place (api/problems.py) maps each to a problem document.
"""


class CurvewiseError(Exception):
    """The root: catching it catches whatever Curvewise says on purpose. The message is for the user."""


class InvalidInput(CurvewiseError):
    """What the caller sent cannot be meant; nothing was stored."""


class UnreadableBody(InvalidInput):
    """The request body is not readable at all."""


class UnreadableFile(InvalidInput):
    """A log file cannot be read; `path` and, where it is known, the 1-based `line` say where."""

    def __init__(self, path: str, reason: str, line: int | None = None) -> None:
        super().__init__(f"{path}:{line}: {reason}" if line is not None else f"{path}: {reason}")
        self.path, self.reason, self.line = path, reason, line


class LimitReached(InvalidInput):
    """More runs or curves than a project or a run may have."""


class InvalidParams(InvalidInput):
    """Params name a rule or a field that does not exist, or a value out of its bounds."""


class NotFound(CurvewiseError):
    """The thing named does not exist."""


class UnknownProject(NotFound):
    """No project has this name."""


class UnknownRun(NotFound):
    """The project has no run of this name."""


class UnknownCurve(NotFound):
    """The run has no curve of this name."""


class UnknownSearch(NotFound):
    """The project has no search of this name."""


class UnknownToken(NotFound):
    """No token has this id."""


class NotLetIn(CurvewiseError):
    """A token is needed, and none that lets anybody in was sent."""


class ForeignRequest(CurvewiseError):
    """It came by a name that is none of this server's, or from a page of another site."""


class NotAllowed(CurvewiseError):
    """The token does not allow this."""


class TooManyRequests(CurvewiseError):
    """More requests came with one token than are taken; the same request succeeds after `retry_after_s` seconds."""

    def __init__(self, message: str, *, retry_after_s: int = 1, per_s: int = 0) -> None:
        super().__init__(message)
        self.retry_after_s, self.per_s = retry_after_s, per_s


class UnknownWebhook(NotFound):
    """The project has no webhook of this number."""


class UnknownDelivery(NotFound):
    """The webhook has no delivery of this number, or it is too long ago."""


class UnknownPredictions(NotFound):
    """No predictions of this step were posted for the run."""


class SlowBody(CurvewiseError):
    """The request's body did not arrive in time."""


class TooLarge(CurvewiseError):
    """The body is larger than the server accepts."""


class UnsupportedEncoding(CurvewiseError):
    """The body's encoding or media type is not one that the server reads."""


class Unavailable(CurvewiseError):
    """Nothing was stored; the same request may succeed after `retry_after_s` seconds."""

    retry_after_s = 1


class Overloaded(Unavailable):
    """More points are waiting to be written than the queue holds."""


class StorageUnavailable(Unavailable):
    """The database does not answer, or is locked."""

    retry_after_s = 2


class StorageFull(Unavailable):
    """The database has no room left."""

    retry_after_s = 30


class MissingExtra(CurvewiseError):
    """A part of Curvewise that is installed on demand is not installed here; the message says how."""


class SchemaMismatch(CurvewiseError):
    """The database's schema is not the one this version works with."""
