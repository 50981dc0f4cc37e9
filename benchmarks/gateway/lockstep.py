"""Thirty-two clients and their upstream, in step, so that each run asks the same of a server.

All clients ask at once; the upstream answers when all have reached it, and sends the next
event of a stream when all clients have the one before. Nothing depends on how fast the
server is, so counts of what it executes hardly differ from run to run.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from probe import headers_of, is_whole
from server import CannotRun
from target import Target
from upstream import ANSWER, EVENTS

CLIENTS = 32
_PATIENCE = 120  # seconds for all clients' answers
_START = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n"
_LENGTH = b"content-length: %d\r\n\r\n"
# The last two, the usage and the end, may be held back until the call is kept.
_HELD_BACK = 2


class Upstream:
    """A model server that gives each answer's next piece when it is told to.

    Its `url` can be given to a proxy before it runs.
    """

    def __init__(self) -> None:
        answer = ANSWER.read_bytes()
        self._answer = [_START % b"application/json" + _LENGTH % len(answer) + answer]
        events = [event + b"\n\n" for event in EVENTS.read_bytes().split(b"\n\n") if event]
        self._events = [b"%x\r\n%s\r\n" % (len(event), event) for event in events]
        head = _START % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n"
        self._events[0] = head + self._events[0]
        self._events[-1] += b"0\r\n\r\n"
        self._all_here = asyncio.Barrier(CLIENTS)
        self._may_send: list[asyncio.Event] = []
        self._connections: list[asyncio.Task[None]] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer; who came before waits. Once."""
        server = await asyncio.start_server(self._accept, sock=self._socket)
        try:
            yield
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def hold(self, stream: bool) -> list[asyncio.Event]:
        """Hold the coming answers. Piece by piece may go as these are set."""
        self._may_send = [asyncio.Event() for _ in (self._events if stream else self._answer)]
        return self._may_send

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(headers_of(head).get("content-length", 0)))
                await self._reply(writer, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the server has gone, or wants this connection no more
        finally:
            writer.close()

    async def _reply(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        if not body:  # asked for its models
            writer.write(_START % b"application/json" + _LENGTH % 2 + b"{}")
            return
        await self._all_here.wait()
        pieces = self._events if json.loads(body).get("stream") else self._answer
        for may_send, piece in zip(self._may_send, pieces, strict=True):
            await may_send.wait()
            writer.write(piece)


class Clients:
    """Thirty-two connections to one server."""

    def __init__(self, target: Target, upstream: Upstream) -> None:
        self.target = target
        self._upstream = upstream
        self._lines: list[_Line] = []

    async def ask(self, stream: bool, times: int = 1) -> int:
        """Let each ask so often, and return how many calls that was."""
        if not self._lines:
            self._lines = [await _Line.open(self.target.port) for _ in range(CLIENTS)]
        wire = self.target.wire(self.target.chat(stream))
        try:
            async with asyncio.timeout(_PATIENCE * times):
                for _ in range(times):
                    await self._ask(wire, self._upstream.hold(stream))
        except TimeoutError:
            raise CannotRun(f"{self.target.name} has not answered in {_PATIENCE} s.") from None
        return CLIENTS * times

    def close(self) -> None:
        """Close the connections."""
        for line in self._lines:
            line.writer.close()

    async def _ask(self, wire: bytes, may_send: list[asyncio.Event]) -> None:
        for line in self._lines:
            line.got = b""
            line.writer.write(wire)
        for number, piece in enumerate(may_send):
            piece.set()
            if number < len(may_send) - _HELD_BACK:
                await asyncio.gather(*(line.has_events(number + 1) for line in self._lines))
        await asyncio.gather(*(line.has_all() for line in self._lines))


class _Line:
    """One connection, and what it got of the answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.got = b""

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect, as soon as the server listens."""
        for _ in range(_PATIENCE * 10):
            try:
                return cls(*await asyncio.open_connection("127.0.0.1", port))
            except ConnectionRefusedError:
                await asyncio.sleep(0.1)
        raise CannotRun(f"Nothing has listened on port {port} in {_PATIENCE} s.")

    async def has_events(self, count: int) -> None:
        """Wait until so many have come."""
        while self.got.count(b"data:") < count:
            await self._more()

    async def has_all(self) -> None:
        """Wait until the answer is whole. Raises CannotRun where it is not the one we want."""
        while not (b"\r\n\r\n" in self.got and is_whole(*self._parts())):
            await self._more()
        if not self.got.startswith(b"HTTP/1.1 200 "):
            raise CannotRun(f"An answer that nobody asked for: {self.got[:300]!r}")

    def _parts(self) -> tuple[dict[str, str], bytes]:
        head, _, body = self.got.partition(b"\r\n\r\n")
        return headers_of(head), body

    async def _more(self) -> None:
        piece = await self.reader.read(1 << 16)
        if not piece:
            raise CannotRun(f"The server closed a connection after {self.got[:300]!r}")
        self.got += piece
