"""Errors in the shapes that clients of each dialect know, and the words of servers' errors."""

from typing import Literal

import msgspec

from feilun.models.dialects.fields import Body, event, unnamed_event
from feilun.models.sse.said import Trouble, in_a_line

Client = Literal["chat", "responses", "messages"]
"""What a client speaks: OpenAI's chat completions or responses, or Anthropic's messages."""

_OPENAI = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
    504: "timeout_error",
}
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(
    client: Client, status: int, message: str, code: str | None = None, param: str | None = None
) -> Body:
    """The body of an error. Anthropic's shape has no place for `code` and `param`."""
    if client == "messages":
        kind = _kind(_ANTHROPIC, status)
        return {"type": "error", "error": {"type": kind, "message": message}}
    kind = _kind(_OPENAI, status)
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_event(client: Client, status: int, message: str, code: str | None = None) -> bytes:
    """The event that ends a stream which cannot go on. Its status has been sent already."""
    if client == "messages":
        return event("error", error_body(client, status, message))
    if client == "responses":
        told = {"type": "error", "code": code, "message": message, "param": None}
        return event("error", told | {"sequence_number": 0})
    return unnamed_event(error_body(client, status, message, code))


def _kind(kinds: dict[int, str], status: int) -> str:
    return kinds.get(status, "invalid_request_error" if 400 <= status < 500 else "api_error")


class _Errors(msgspec.Struct):
    error: Trouble | str | None = None
    message: str | None = None
    detail: str | None = None


_errors = msgspec.json.Decoder(_Errors)


def error_said(body: bytes) -> str | None:
    """What a server's error body says, in a line of at most 300 characters; None if nothing."""
    try:
        found = _errors.decode(body)
    except (ValueError, RecursionError):
        return None
    words = found.error or found.message or found.detail
    return in_a_line(words) if words else None
