"""One request at the ASGI border, and the ways to answer it.

Starlette's Request and Response would cost more than all the rest of a call (measured: 723
against 335 µs), so the data path speaks ASGI itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias
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


class Client(Protocol):
    """What our own server tells of a client beyond ASGI, under the extension `feilun`."""

    left: Callable[[], object] | None
    """Called when the client leaves before its answer is complete."""

    def abort(self) -> None:
        """Drop the connection, and what of the answer waits to be sent."""


class ClientLeft(Exception):
    """The client is gone; nobody is left to answer."""


class Request:
    """One request, and its answer as far as it was sent. `id` is the id of its call."""

    __slots__ = (
        "_receive", "_send", "client", "headers", "id", "method", "path", "scope", "started",
    )  # fmt: skip

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: Headers = scope["headers"]
        self._receive = receive
        self._send = send
        self.started = False
        # None where another server than ours runs the gateway: then nobody is told who leaves
        self.client: Client | None = scope.get("extensions", {}).get("feilun")
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
        message = await self._receive()  # `protocol.sweep` ends bodies that stand still
        if message["type"] == "http.disconnect":
            raise ClientLeft
        return message

    async def gone(self) -> None:
        """Return when the client has left. To be called when the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            await asyncio.sleep(0)  # a server that tells of nothing must not hold the loop

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of the answer."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def piece(self, body: bytes, *, more: bool = True) -> None:
        """Send a piece of the answer; returns when there is room for the next one."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def abort(self) -> None:
        """Drop the connection, and what of the answer waits to be sent."""
        if self.client is not None:
            self.client.abort()

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
