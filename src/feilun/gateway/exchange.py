"""One request and its answer on a connection: `receive` and `send` of ASGI, and little more.

Uvicorn's own cycle took more than a quarter of the instructions of a JSON answer, for events,
timers and checks that this border does without. What stays: no header can forge another,
a client that reads slowly is waited for, and one that leaves is known to have left.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Protocol

from feilun.gateway.http import Message, Receive, Send
from feilun.models.wire import Headers

MOST_UNREAD = 64 << 10  # bytes of a body that nobody has asked for: past it the client waits

App = Callable[[Message, Receive, Send], Awaitable[None]]

_STATUS = {each.value: b"HTTP/1.1 %d %b" % (each, each.phrase.encode()) for each in HTTPStatus}
_CLOSE = (b"connection", b"close")
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Connection(Protocol):
    """A connection, as an exchange needs it."""

    transport: asyncio.Transport
    room: asyncio.Future[None] | None
    """Done when there is room for more of an answer; None while there is."""

    def read_on(self) -> None:
        """Take more of a body, if reading was paused."""

    def answered(self, exchange: "Exchange") -> None:
        """The answer is complete."""


class Exchange:
    """One request, and its answer as far as it was sent. The connection feeds it.

    `left`, where it is set, is called when the client leaves before its answer is complete.
    """

    __slots__ = (
        "_chunked", "_connection", "_expects", "_fresh", "_gone", "_held", "_is_head", "_may_chunk",
        "_more", "_pieces", "_waiter", "complete", "keep_alive", "left", "size", "started",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        *,
        is_head: bool = False,
        may_chunk: bool = True,
        keep_alive: bool = True,
        expects: bool = False,
    ) -> None:
        self._connection = connection
        self._is_head = is_head
        self._may_chunk = may_chunk  # HTTP/1.0 knows no chunks
        self._expects = expects  # to be told that its body is wanted
        self._pieces: list[bytes] = []
        self._more = True
        self._fresh = False  # whether `receive` has something to tell
        self._gone = False
        self._waiter: asyncio.Future[None] | None = None
        self._chunked = False
        self._held = b""  # the head, until the first piece is there or nothing else is to be done
        self.size = 0  # of the pieces that nobody has asked for
        self.keep_alive = keep_alive
        self.started = False
        self.complete = False
        self.left: Callable[[], object] | None = None

    async def run(self, app: App, scope: Message) -> None:
        """Let the application answer. What it leaves incomplete ends with its connection."""
        try:
            await app(scope, self.receive, self.send)
        finally:
            if not self.complete:
                self._connection.transport.close()

    # What the connection calls

    def feed(self, piece: bytes) -> None:
        """A piece of the body has come."""
        self._pieces.append(piece)
        self.size += len(piece)
        self._tell()

    def end(self) -> None:
        """The body is whole."""
        self._more = False
        self._tell()

    def lose(self) -> None:
        """The client is gone."""
        self._gone = True
        self._tell()
        if self.left is not None and not self.complete:
            self.left()

    # What the application calls

    def abort(self) -> None:
        """Drop the connection, and what of the answer waits to be sent."""
        self._connection.transport.abort()

    async def receive(self) -> Message:
        """The next of the body, or that there is nobody to answer any more."""
        while not (self._fresh or self._gone or self.complete):
            if self._expects and self._more and not self.started:
                self._expects = False
                self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._connection.read_on()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._gone or self.complete:
            return {"type": "http.disconnect"}
        self._fresh = False
        body = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return {"type": "http.request", "body": body, "more_body": self._more}

    async def send(self, message: Message) -> None:
        """Send the head of the answer, then its pieces; returns when there is room for more."""
        if self._connection.room is not None:
            await asyncio.shield(self._connection.room)
        if self._gone or self.complete:
            return
        if not self.started:
            self._held = self._head(message["status"], message["headers"])
            self.started = True
            if self._chunked:  # its first piece may take long
                asyncio.get_running_loop().call_soon(self._write, b"")
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._chunked:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                body += b"0\r\n\r\n"
        self._write(b"" if self._is_head else body)
        if not more:
            self.complete = True
            self._tell()
            self._connection.answered(self)

    def _head(self, status: int, headers: Headers) -> bytes:
        lines = [_STATUS[status]]
        unbounded = status not in _BODILESS
        for name, value in headers:
            lines.append(name + b": " + value)
            if name == b"content-length":
                unbounded = False
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
        if not self.keep_alive and _CLOSE not in headers:
            lines.append(b"connection: close")
        if unbounded and self._may_chunk:  # else the end of the connection is the end of the answer
            self._chunked = True
            lines.append(b"transfer-encoding: chunked")
        head = b"\r\n".join(lines)
        if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1:
            raise ValueError("a header of an answer holds a line break")
        return head + b"\r\n\r\n"

    def _write(self, body: bytes) -> None:
        """Write, and the head with it if that waits: each write is a call of the system's."""
        data, self._held = self._held + body, b""
        if data and not self._gone:
            self._connection.transport.write(data)

    def _tell(self) -> None:
        self._fresh = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
