"""Problems: what a request is told when it cannot be answered, in its dialect's own shape."""

from feilun.errors import (
    AccessError,
    BrokenReply,
    Conflict,
    EngineError,
    FeilunError,
    InputError,
    NotFound,
    Refused,
    ReleaseError,
    StoreError,
    TaskError,
    TimedOut,
    Unstorable,
)


class Problem(Exception):
    """A request that cannot be answered: an HTTP status, a sentence, and a code for programs.

    `retry_after` is in seconds; `close` ends the connection with the answer; `allow` names
    the methods of a path.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        close: bool = False,
        allow: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.close = close
        self.allow = allow


def problem_of(error: FeilunError) -> Problem:
    """The problem that an error is to whoever asked."""
    said = str(error)
    match error:
        case AccessError():
            return Problem(error.status, said, code=error.code, retry_after=error.retry_after)
        case TaskError() | InputError():
            return Problem(400, said, code="invalid_value")
        case NotFound():
            return Problem(404, said, code="not_found")
        case Conflict() | ReleaseError():
            return Problem(409, said, code="conflict")
        case Unstorable():
            return Problem(
                502, said, code="unstorable"
            )  # bodies are checked, so the engine's fault
        case StoreError():
            return Problem(503, said, code="store_unavailable", retry_after=1)
        case Refused():
            return Problem(502, said, code="engine_refused", retry_after=error.retry_after)
        case TimedOut():
            return Problem(504, said, code="engine_timeout")
        case BrokenReply():
            return Problem(502, said, code="engine_broke")
        case EngineError():
            return Problem(502, said, code="engine_unavailable")
        case _:
            return Problem(500, said, code="internal_error")
