"""A client's connection under uvicorn: HTTP/1.1 in, by httptools, and a task for each request.

Uvicorn listens, drains and ends; this is what it makes for each connection. It has the bounds
that uvicorn's own leaves open: httptools collects a header until it is whole, so an endless
one would fill the memory, and a client that sends a byte a minute, or reads none of its
answer, would hold its connection for ever. One `sweep` over all connections looks for those:
a timer for each request would cost as much as a header.
"""

import asyncio
import math
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import httptools
import uvicorn
from uvicorn.server import ServerState

from feilun.gateway.exchange import MOST_UNREAD, App, Exchange
from feilun.gateway.http import Message
from feilun.models.wire import Headers
from feilun.records import stable_json

HEAD_BYTES = 64 << 10
HEADERS = 100
HEAD_SECONDS = 30.0
BODY_SECONDS = 60.0  # between two pieces: longer than any honest client pauses
STALLED_SECONDS = 120.0  # in which a client takes nothing of what waits for it

_NEVER = math.inf
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_REASONS = {
    400: "The request is no valid HTTP/1.1. Look at the client or the proxy before this server.",
    431: f"The head is larger than {HEAD_BYTES >> 10} kB or has more than {HEADERS} headers. "
    "Send fewer and shorter ones.",
}
_PHRASES = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


class GuardedProtocol(asyncio.Protocol):
    """Answers the requests of one connection in their order. See uvicorn's `http` setting."""

    __slots__ = (
        "_active", "_app", "_due", "_expects", "_head_bytes", "_headers", "_in_head",
        "_keep_alive", "_loop", "_parser", "_paused", "_queued", "_reading", "_stalled",
        "_state", "_status", "_url", "room", "transport",
    )  # fmt: skip

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn's signature; ours has no such state
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = _loop or asyncio.get_event_loop()
        self.transport: asyncio.Transport
        self._app: App = config.loaded_app
        self._keep_alive = config.timeout_keep_alive
        self._state = server_state
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._active: Exchange | None = None  # is being answered
        self._queued: list[tuple[Exchange, Message]] = []  # came before that was
        self._reading: Exchange | None = None  # the body that comes belongs to it
        self._in_head = True
        self._head_bytes = 0
        self._status = 400  # with which what cannot be parsed is refused
        self._due = _NEVER  # when the client must have sent something
        self._stalled = _NEVER  # when it must have taken something
        self._paused = False
        self.room: asyncio.Future[None] | None = None  # to come, where the client reads too slowly
        self._url = b""
        self._headers: Headers = []
        self._expects = False

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected: its first head is awaited from now on."""
        self.transport = transport  # type: ignore[assignment]  # TCP: reads and writes
        self._state.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own
        self._due = self._loop.time() + HEAD_SECONDS

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - gone is gone
        """The client is gone: whoever answers it is told."""
        self._state.connections.discard(self)
        self._parser = self._reading = None  # they refer back to this
        self._queued.clear()
        self.resume_writing()
        if self._active is not None:
            self._active.lose()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and count it while a head is incomplete."""
        if self._parser is None or self.transport.is_closing():
            return  # what follows a refused request is of no interest
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # answered as if it had not asked; then it is over
            if self._reading is not None:
                self._reading.keep_alive = False
        except httptools.HttpParserError:
            self._refuse()
            return
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._status = 431
            self._refuse()

    def pause_writing(self) -> None:
        """The client reads more slowly than we send."""
        self.room = self._loop.create_future()
        self._stalled = self._loop.time() + STALLED_SECONDS

    def resume_writing(self) -> None:
        """The client has read."""
        self._stalled = _NEVER
        if self.room is not None:
            self.room.set_result(None)
            self.room = None

    # What the parser calls

    def on_message_begin(self) -> None:
        """A head begins."""
        self._due = self._loop.time() + HEAD_SECONDS
        self._in_head = True
        self._url = b""
        self._headers = []
        self._expects = False

    def on_url(self, url: bytes) -> None:
        """A part of the target has come."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. Trailers too: nobody reads them."""
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A head is whole. One that is too large ends the parsing, as an invalid path does."""
        parser = self._parser
        if len(self._headers) > HEADERS or parser is None:
            self._status = 431
            raise ValueError("too many headers")
        self._in_head = False
        self._head_bytes = 0
        self._due = self._loop.time() + BODY_SECONDS
        version = parser.get_http_version()
        method = parser.get_method().decode()
        exchange = Exchange(
            self,
            is_head=method == "HEAD",
            may_chunk=version != "1.0",
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            expects=self._expects,
        )
        scope = _scope(method, version, self._url, self._headers, exchange)
        self._reading = exchange
        if self._active is None:
            self._start(exchange, scope)
        else:
            self._pause()
            self._queued.append((exchange, scope))

    def on_body(self, body: bytes) -> None:
        """A piece of a body has come."""
        self._due = self._loop.time() + BODY_SECONDS
        if self._reading is not None and not self._reading.complete:
            self._reading.feed(body)
            if self._reading.size > MOST_UNREAD:
                self._pause()

    def on_message_complete(self) -> None:
        """A request is whole: its client has nothing more to send."""
        self._due = _NEVER
        if self._reading is not None:
            self._reading.end()

    # What exchanges and uvicorn call

    def read_on(self) -> None:
        """Take more of a body, if reading was paused."""
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    def answered(self, exchange: Exchange) -> None:
        """The answer is complete: the next request has its turn."""
        self._state.total_requests += 1
        self._active = None
        if self.transport.is_closing():
            return
        if not exchange.keep_alive:
            self.transport.close()
            return
        self.read_on()
        if self._queued:
            self._start(*self._queued.pop(0))
        elif self._due == _NEVER:
            self._due = self._loop.time() + self._keep_alive

    def shutdown(self) -> None:
        """The server drains: what has begun is answered, and then it is over."""
        if self._active is None:
            self.transport.close()
        else:
            last = self._queued[-1][0] if self._queued else self._active
            last.keep_alive = False

    def is_late(self, now: float) -> bool:
        """Whether a head, a body or the next request does not come, or an answer is not taken."""
        return now > self._due or now > self._stalled

    def _start(self, exchange: Exchange, scope: Message) -> None:
        self._active = exchange
        task = self._loop.create_task(exchange.run(self._app, scope))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _refuse(self) -> None:
        """Refuse a request that could not be parsed, in the shape of all our errors."""
        if self.transport.is_closing():
            return
        if self._active is None:  # else an answer is on its way: nothing fits between
            error = {"message": _REASONS[self._status], "type": "invalid_request_error"}
            body = stable_json({"error": {**error, "code": "bad_request", "param": None}})
            self.transport.write(
                b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
                b"connection: close\r\n\r\n%s"
                % (self._status, _PHRASES[self._status], len(body), body)
            )
        self.transport.close()


def sweep(connections: Iterable[object], now: float) -> int:
    """End the connections whose client keeps them waiting; returns how many."""
    late = [each for each in connections if isinstance(each, GuardedProtocol) and each.is_late(now)]
    for each in late:
        each.transport.abort()
    return len(late)


def _scope(method: str, version: str, url: bytes, headers: Headers, exchange: Exchange) -> Message:
    """What ASGI says of a request. Raises ValueError for a target that is none."""
    if url.startswith(b"/") and b"#" not in url:
        raw, _, query = url.partition(b"?")
    else:
        parsed = httptools.parse_url(url)
        raw, query = parsed.path, parsed.query or b""
    path = raw.decode("ascii")
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": version,
        "method": method,
        "scheme": "http",
        "path": unquote(path) if "%" in path else path,
        "raw_path": raw,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "extensions": {"feilun": exchange},
    }
