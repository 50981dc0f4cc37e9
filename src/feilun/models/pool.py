"""The pool: connections to the model servers, kept open from one request to the next.

A pool belongs to one event loop. It opens a connection where none is idle, so there are
never more than there were requests at once; how many, its callers bound. The one fault
without a sign is a pool that opens a connection for every call, three times slower: so it
counts `opened`, `reused` and `open`, and tests and metrics look at them.
"""

import asyncio
import ssl
from collections.abc import Sequence
from functools import cache
from typing import Self

from feilun.errors import EngineError, Unreachable
from feilun.models.h1 import Connection, Unanswered
from feilun.models.reply import HttpReply
from feilun.models.wire import Address, Headers, Timeouts

_OURS = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})
_NO_BODY = (b"GET", b"HEAD")


class Pool:
    """Sends requests to model servers. See `wire` for what goes in and what comes out.

    `retried` counts requests that were sent again, because the connection on which they
    went first had been closed by the server while it was idle. Close the pool before its
    loop ends (`async with`): uvloop does not end well with a connection left open.
    """

    def __init__(self, *, most_idle_per_server: int = 256, idle_seconds: float = 30.0) -> None:
        self.opened = 0
        self.reused = 0
        self.retried = 0
        self._most_idle = most_idle_per_server
        self._idle_seconds = idle_seconds
        self._idle: dict[Address, list[Connection]] = {}  # the last used is used first
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._trust: ssl.SSLContext | None = None
        self._closed: asyncio.Future[None] | None = None

    @property
    def open(self) -> int:
        """Connections that are open now, idle ones among them."""
        return len(self._open)

    async def send(
        self,
        to: Address,
        method: bytes,
        path: bytes,
        headers: Headers,
        body: bytes,
        timeouts: Timeouts,
    ) -> HttpReply:
        """Send a request, with `host` and `content-length` added; return when a head is there.

        `path` is the whole path. Where a used connection proves closed before a byte of an
        answer came, the request goes once more, on a fresh one. Raises Unreachable where no
        connection could be made, TimedOut and BrokenReply for what went wrong after that,
        and EngineError for a request that cannot be written as HTTP.
        """
        head = request_head(to, method, path, headers, len(body))
        bodiless = method == b"HEAD"
        used = self._take(to)
        if used is not None:
            try:
                return await used.ask(head, body, bodiless, timeouts)
            except Unanswered:
                self.retried += 1
        fresh = await self._connect(to, timeouts.connect)
        return await fresh.ask(head, body, bodiless, timeouts)

    async def close(self) -> None:
        """Close all connections; replies that are still arriving break off."""
        if self._closed is None:
            self._closed = asyncio.get_running_loop().create_future()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            connection.abandon()
        if self._open:
            await asyncio.shield(self._closed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # What connections call

    def made(self, connection: Connection) -> None:
        """A connection was opened."""
        self.opened += 1
        self._open.add(connection)

    def freed(self, connection: Connection) -> None:
        """A connection can carry the next request."""
        if self._closed is not None or len(connection.idle) >= self._most_idle:
            connection.drop()
            return
        connection.idle.append(connection)
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(self._idle_seconds, self._sweep)

    def lost(self, connection: Connection) -> None:
        """A connection is closed."""
        self._open.discard(connection)
        if connection in connection.idle:
            connection.idle.remove(connection)
        if self._closed is not None and not self._open and not self._closed.done():
            self._closed.set_result(None)

    def _take(self, to: Address) -> Connection | None:
        idle = self._idle.get(to)
        while idle:
            connection = idle.pop()
            if not connection.is_closing():
                self.reused += 1
                return connection
        return None

    async def _connect(self, to: Address, seconds: float) -> Connection:
        loop, where = asyncio.get_running_loop(), _where(to)
        self._refuse_when_closed(where)
        connection = Connection(self, where, self._idle.setdefault(to, []), loop)
        try:
            async with asyncio.timeout(seconds):
                await loop.create_connection(
                    lambda: connection,
                    to.host,
                    to.port,
                    ssl=(to.context or self._system_trust()) if to.tls else None,
                    server_hostname=to.host if to.tls else None,
                    ssl_handshake_timeout=seconds if to.tls else None,
                )
        except asyncio.CancelledError:
            self._forget(connection)
            raise
        except TimeoutError as error:
            self._forget(connection)
            raise Unreachable(
                f"{where} took no connection in {seconds:g} s. Check that it runs and is near."
            ) from error
        except (OSError, ValueError, OverflowError) as error:
            raise Unreachable(f"{where} cannot be reached: {_why(error)}.") from error
        if self._closed is not None:  # meanwhile
            connection.drop()
        self._refuse_when_closed(where)
        return connection

    def _forget(self, connection: Connection) -> None:
        connection.drop()
        # uvloop 0.23 closes the socket of a caller that left as it was made, and tells nobody.
        self.lost(connection)

    def _refuse_when_closed(self, where: str) -> None:
        if self._closed is not None:
            raise Unreachable(f"{where} was not asked: this gateway is shutting down.")

    def _system_trust(self) -> ssl.SSLContext:
        if self._trust is None:  # reading the system's authorities takes 20 ms
            self._trust = ssl.create_default_context()
        return self._trust

    def _sweep(self) -> None:
        """Drop what was idle for too long; come back for the rest."""
        self._sweeper = None
        loop = asyncio.get_running_loop()
        too_old = loop.time() - self._idle_seconds
        for idle in self._idle.values():
            for connection in [one for one in idle if one.heard <= too_old]:
                idle.remove(connection)
                connection.drop()
        oldest = min((one.heard for idle in self._idle.values() for one in idle), default=None)
        if oldest is not None:
            self._sweeper = loop.call_at(oldest + self._idle_seconds, self._sweep)


def request_head(
    to: Address, method: bytes, path: bytes, headers: Sequence[tuple[bytes, bytes]], length: int
) -> bytes:
    """The bytes before a request's body. Raises EngineError where a part would forge another."""
    lines = [b"%b %b HTTP/1.1" % (method, path), b"host: %b" % _host(to)]
    lines += [name + b": " + value for name, value in headers]
    if length or method not in _NO_BODY:
        lines.append(b"content-length: %d" % length)
    head, breaks = b"\r\n".join(lines), len(lines) - 1
    if head.count(b"\r") != breaks or head.count(b"\n") != breaks or b"\0" in head:
        raise EngineError(
            f"A header for {_where(to)} holds a line break or a NUL. Send it without."
        )
    if not path.startswith(b"/") or b" " in path:
        raise EngineError(f"A path for {_where(to)} holds a space or does not begin with a slash.")
    if not _OURS.isdisjoint([name for name, _ in headers]):
        raise EngineError(
            f"A request for {_where(to)} brings its own host, length or connection header. "
            "Leave them to the pool."
        )
    return head + b"\r\n\r\n"


@cache
def _host(to: Address) -> bytes:
    try:
        name = to.host.encode("ascii" if to.host.isascii() else "idna")
    except UnicodeError as error:
        raise Unreachable(f"{to.host!r} is no name of a host. Correct the engine's URL.") from error
    host = b"[%b]" % name if b":" in name else name
    return host if to.port == (443 if to.tls else 80) else b"%b:%d" % (host, to.port)


def _where(to: Address) -> str:
    return f"http{'s' if to.tls else ''}://{_host(to).decode()}"


def _why(error: Exception) -> str:
    """The reason, without a number of the system's in front of it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold ({error.verify_message})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
