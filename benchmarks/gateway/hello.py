"""The reference workload of the CI figure: bare uvicorn that answers by itself.

It does what no proxy can do without, reading a request and writing the answer or the 21
events, so the ratio of a gateway's CPU to its own says what proxying costs on any machine.

    python -m uvicorn hello:app --app-dir benchmarks/gateway --loop uvloop --http httptools
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

_ANSWERS = Path(__file__).parent / "answers"
_BODY = (_ANSWERS / "answer.json").read_bytes()
_EVENTS = (_ANSWERS / "events.sse").read_bytes().split(b"\n\n")[:-1]

# ASGI's own types: its messages are dictionaries of whatever a server puts into them.
_Message = dict[str, Any]


async def app(
    scope: _Message,
    receive: Callable[[], Awaitable[_Message]],
    send: Callable[[_Message], Awaitable[None]],
) -> None:
    """Answer a chat completion, streamed where the body asks for it."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message.get("more_body", False)
    if b'"stream":true' in body:
        await send(_start(b"text/event-stream"))
        for event in _EVENTS:
            await send({"type": "http.response.body", "body": event + b"\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send(_start(b"application/json", (b"content-length", b"%d" % len(_BODY))))
        await send({"type": "http.response.body", "body": _BODY})


def _start(kind: bytes, *more: tuple[bytes, bytes]) -> _Message:
    headers = [(b"content-type", kind), *more]
    return {"type": "http.response.start", "status": 200, "headers": headers}
