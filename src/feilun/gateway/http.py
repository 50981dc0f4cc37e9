"""One request at the ASGI border, and the ways to answer it.

Starlette's Request and Response would cost more than all the rest of a call (measured: 723
against 335 µs), so the data path speaks ASGI itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from feilun.gateway.problem import Problem
from feilun.models.wire import Headers
from feilun.records import Json, stable_json

# ASGI's own types: its messages are dictionaries of whatever a server puts into them.
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

JSON = (b"content-type", b"application/json")
SSE = (b"content-type", b"text/event-stream; charset=utf-8")


class ClientLeft(Exception):
    """The client is gone; nobody is left to answer."""


class Request:
    """One request, and its answer as far as it was sent. `id` is the id of its call."""

    __slots__ = (
        "_receive", "_send", "headers", "id", "method", "path", "scope", "stalled_since", "started",
    )  # fmt: skip

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: Headers = scope["headers"]
        self._receive = receive
        self._send = send
        self.started = False
        self.stalled_since = 0.0  # on the loop's clock, while a piece waits for the client
        self.id = ""

    def header(self, name: bytes) -> bytes | None:
        """The first header of this name, in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def query(self) -> dict[str, str]:
        """The query, the last value of each name. Raises Problem for one that is no text."""
        try:
            found = parse_qs(
                self.scope["query_string"].decode("ascii"), errors="strict", max_num_fields=100
            )
        except ValueError as error:
            raise Problem(400, "The query is not text in UTF-8. Encode it.") from error
        return {name: values[-1] for name, values in found.items()}

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises Problem for one that is too large."""
        length = self.header(b"content-length")
        if length is not None and length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        message = await self._next()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return body
        pieces, size = [body], len(body)
        while message.get("more_body"):
            message = await self._next()
            piece = message.get("body", b"")
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
        return b"".join(pieces)

    async def _next(self) -> Message:
        message = await self._receive()  # the sweep of `protocol.py` ends bodies that stand still
        if message["type"] == "http.disconnect":
            raise ClientLeft
        return message

    async def gone(self) -> None:
        """Return when the client has left. To be called when the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of the answer."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def piece(self, body: bytes, *, more: bool = True) -> None:
        """Send a piece of the answer; returns when there is room for the next one."""
        self.stalled_since = asyncio.get_running_loop().time()
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self.stalled_since = 0.0

    def abort(self) -> None:
        """Drop the connection, and what of the answer waits to be sent."""
        abort = self.scope.get("extensions", {}).get("feilun.abort")
        if abort is not None:
            abort["call"]()

    async def answer(self, status: int, body: bytes, headers: Headers) -> None:
        """Send a whole answer."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self._send({"type": "http.response.body", "body": body})

    async def json(self, status: int, value: Json, headers: Headers | None = None) -> None:
        """Send a JSON answer."""
        await self.answer(status, stable_json(value), [JSON, *(headers or [])])


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        f"The body is larger than {limit:,} bytes. Send less, or raise limits.body_bytes in "
        "feilun.toml.",
        code="body_too_large",
        close=True,
    )
