"""One HTTP/1.1 connection to a model's server: bytes in, a reply out, and when to give up.

All of a call happens in callbacks of the event loop: a task or a future for each piece
would cost more than the piece. One timer a connection looks now and then whether
something is overdue, and is not touched by the bytes that come.
"""

import asyncio
from typing import Protocol

import httptools

from feilun.errors import BrokenReply, EngineError, TimedOut
from feilun.models.reply import HttpReply
from feilun.models.wire import Headers, Timeouts

MOST_SILENT = 64 << 10  # bytes without a byte of body: a head, trailers, chunk extensions
MOST_HEADERS = 100
AT_ONCE = 256 << 10  # bytes of a request that are handed to the transport at once
GRAIN = 0.001  # seconds: uvloop's timers are no finer


class Owner(Protocol):
    """The pool, as a connection needs it."""

    def made(self, connection: "Connection") -> None:
        """A connection was opened."""

    def freed(self, connection: "Connection") -> None:
        """Its reply has ended and it can carry the next request."""

    def lost(self, connection: "Connection") -> None:
        """It is closed."""


class Unanswered(BrokenReply):
    """The connection was closed without a byte of an answer."""


class Connection(asyncio.Protocol):
    """Carries one request after the other. `where` names the server in errors."""

    __slots__ = (
        "_asked",
        "_bodiless",
        "_choked",
        "_ended",
        "_headed",
        "_interim",
        "_keeps",
        "_loop",
        "_owner",
        "_parser",
        "_paused",
        "_reply",
        "_silent",
        "_stands",
        "_ticker",
        "_ticks_at",
        "_till_close",
        "_timeouts",
        "_transport",
        "_unsent",
        "_unwanted",
        "_wrong",
        "heard",
        "idle",
        "where",
    )

    def __init__(
        self,
        owner: Owner,
        where: str,
        idle: "list[Connection]",
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.where = where
        self.idle = idle  # where it waits between two requests
        self.heard = 0.0  # when the last byte came
        self._owner = owner
        self._loop = loop
        self._transport: asyncio.Transport
        self._stands = False
        self._parser = httptools.HttpResponseParser(self)
        self._reply: HttpReply | None = None
        self._timeouts: Timeouts
        self._asked = 0.0
        self._ticker: asyncio.TimerHandle | None = None
        self._ticks_at = 0.0
        self._unsent: memoryview | None = None
        self._unwanted = False  # whether it was dropped before it stood
        self._choked = False  # whether the transport wants no more to write
        self._paused = False  # whether the reader wants no more to read
        self._begin(bodiless=False)

    def _begin(self, bodiless: bool) -> None:
        self._bodiless = bodiless
        self._headed = self._interim = self._ended = self._keeps = self._till_close = False
        self._silent = 0
        self._wrong = ""

    async def ask(self, head: bytes, body: bytes, bodiless: bool, timeouts: Timeouts) -> HttpReply:
        """Send a request and return its reply when that has a head."""
        self._reply = reply = HttpReply(self, self._loop)
        self._begin(bodiless)
        self._asked = self.heard = now = self._loop.time()
        self._timeouts = timeouts
        self._tick_by(now + min(timeouts.first_byte, timeouts.idle, timeouts.total))
        if self._transport.is_closing():
            self._fail(self._cut_off())
        elif len(body) <= AT_ONCE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._unsent = memoryview(body)
            self._send_more()
        await reply.begun()
        return reply

    def is_closing(self) -> bool:
        """Whether it can carry no more requests."""
        return self._transport.is_closing()

    def drop(self) -> None:
        """Close at once, and let go of the reply."""
        self._reply = None
        self._unsent = None
        self._unwanted = True
        if self._stands and not self._transport.is_closing():
            self._transport.abort()

    def abandon(self) -> None:
        """Close at once; a reply that is still arriving breaks off."""
        self._fail(BrokenReply(f"The connection to {self.where} was closed on our side."))

    def resume(self) -> None:
        """Read on, if reading was paused."""
        if self._paused:
            self._paused = False
            self.heard = self._loop.time()  # the silence was ours
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = transport  # type: ignore[assignment]  # TCP: reads and writes
        self._stands = True
        self._owner.made(self)
        if self._unwanted:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: tell the reader, the pool and the timer."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        reply, self._reply, self._unsent = self._reply, None, None
        if reply is not None:
            if self._till_close and exc is None:
                reply.end()
            else:
                reply.fail(self._cut_off())
        del self._parser  # it refers back to this
        self._owner.lost(self)

    def pause_writing(self) -> None:
        """The server reads more slowly than we send."""
        self._choked = True

    def resume_writing(self) -> None:
        """The server has read."""
        self._choked = False
        self._send_more()

    def data_received(self, data: bytes) -> None:
        """Parse, and act on where that leads."""
        reply = self._reply
        if reply is None:  # nobody asked: a notice of the server's timeout, or it is out of step
            self.drop()
            return
        self.heard = self._loop.time()
        self._silent += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._keeps = False
            if not self._ended:
                self._fail(self._not_http(self._wrong or str(error)))
                return
        if self._ended:
            self._finish(reply)
        elif self._silent > MOST_SILENT:
            self._fail(self._not_http(f"{MOST_SILENT} bytes of head and no end of it"))
        elif self._headed and reply.arrived():
            self._pause()

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin a reply; a second one, which nobody asked for, spoils the connection."""
        if self._ended:
            self._keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. Trailers are read over."""
        if self._reply is None or self._headed:
            return
        headers = self._reply.headers
        headers.append((name.lower(), value))
        if len(headers) > MOST_HEADERS:
            self._wrong = f"more than {MOST_HEADERS} headers"
            raise ValueError(self._wrong)

    def on_headers_complete(self) -> None:
        """Know the status, and how the end of the body will be known."""
        reply = self._reply
        if reply is None or self._ended:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._skip_interim(status, reply)
            return
        if self._silent > MOST_SILENT and _size(reply.headers) > MOST_SILENT:
            self._wrong = f"a head of more than {MOST_SILENT} bytes"
            raise ValueError(self._wrong)
        self._headed = True
        self._silent = 0
        self._keeps = self._parser.should_keep_alive() and not self._bodiless
        self._till_close = not self._keeps and not _tells_its_end(reply.headers)
        self._ended = self._bodiless
        reply.status = status

    def on_body(self, data: bytes) -> None:
        """Hand on a piece of the body."""
        if self._reply is not None and not self._ended:
            self._silent = 0
            self._reply.put(data)

    def on_message_complete(self) -> None:
        """The reply has ended, unless it was only an announcement of one."""
        if self._interim:
            self._interim = False
        else:
            self._ended = True

    # What follows from it

    def _skip_interim(self, status: int, reply: HttpReply) -> None:
        if status == 101:
            self._wrong = "a change of protocol that nobody asked for"
            raise ValueError(self._wrong)
        self._interim = True
        reply.headers.clear()

    def _finish(self, reply: HttpReply) -> None:
        self._reply = None
        self.resume()
        if self._keeps and self._unsent is None and not self._transport.is_closing():
            self._owner.freed(self)
        else:
            self.drop()
        reply.end()

    def _fail(self, error: EngineError) -> None:
        reply = self._reply
        self.drop()
        if reply is not None:
            reply.fail(error)

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _send_more(self) -> None:
        while self._unsent is not None and not self._choked:
            if self._headed:  # answered before it was all asked: the rest is not wanted
                return
            self._transport.write(self._unsent[:AT_ONCE])
            self._unsent = self._unsent[AT_ONCE:] if len(self._unsent) > AT_ONCE else None

    def _tick_by(self, at: float) -> None:
        if self._ticker is None or at < self._ticks_at:
            if self._ticker is not None:
                self._ticker.cancel()
            self._ticker, self._ticks_at = self._loop.call_at(at, self._tick), at

    def _tick(self) -> None:
        """Give up what is overdue, and look again when the next thing can be."""
        self._ticker = None
        if self._reply is None:
            return
        now, allowed = self._loop.time(), self._timeouts
        due = self._asked + allowed.total
        if not self._headed:
            due = min(due, self._asked + allowed.first_byte)
        elif not self._paused:
            due = min(due, self.heard + allowed.idle)
        if due - now < GRAIN:
            self._fail(self._overdue(now))
        else:
            self._tick_by(min(due, now + allowed.idle))

    def _overdue(self, now: float) -> TimedOut:
        allowed, asked = self._timeouts, now - self._asked
        if not self._headed:
            what = f"{self.where} did not begin to answer in {asked:.1f} s"
        elif allowed.total - asked < GRAIN:
            what = f"{self.where} had not finished its answer after {asked:.1f} s"
        else:
            what = f"{self.where} fell silent in its answer for {now - self.heard:.1f} s"
        return TimedOut(f"{what}. Look at its load, or allow it more time in its `timeouts`.")

    def _cut_off(self) -> BrokenReply:
        if self._silent == 0 and not self._headed:
            return Unanswered(
                f"{self.where} closed the connection without an answer. Look at its log."
            )
        return BrokenReply(
            f"{self.where} closed the connection in the middle of its answer. Look at its log."
        )

    def _not_http(self, what: str) -> BrokenReply:
        return BrokenReply(
            f"{self.where} sent what is no HTTP/1.1: {what}. Check that a model server is there."
        )


def _size(headers: Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _tells_its_end(headers: Headers) -> bool:
    """Whether the body's end can be known without the connection's end."""
    return any(
        name == b"content-length"
        or (name == b"transfer-encoding" and value.lower().endswith(b"chunked"))
        for name, value in headers
    )
