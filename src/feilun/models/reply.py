"""A reply that is arriving: the buffer between a server's pace and its reader's.

The connection puts pieces in, the reader takes out all that is there. Where the reader is
slower, the connection is told to pause; where it is faster, it waits on one future.
"""

import asyncio
from typing import Protocol

from feilun.errors import BrokenReply, EngineError
from feilun.models.wire import Headers

MOST_UNREAD = 256 << 10  # bytes; past it the server waits


class Source(Protocol):
    """The connection that a reply comes from."""

    where: str

    def resume(self) -> None:
        """Read on, if reading was paused."""

    def drop(self) -> None:
        """Close: this reply is not wanted any more."""


class HttpReply:
    """Keeps the promises of `wire.Reply`.

    One reader at a time. A reader that is cancelled while it waits closes the reply.
    """

    __slots__ = (
        "_ended",
        "_error",
        "_loop",
        "_most",
        "_pieces",
        "_source",
        "_unread",
        "_waiter",
        "_whole",
        "headers",
        "status",
    )

    def __init__(self, source: Source, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0  # until the head is there
        self.headers: Headers = []
        self._source: Source | None = source
        self._loop = loop
        self._pieces: list[bytes] = []
        self._unread = 0
        self._most = MOST_UNREAD
        self._whole = False  # whether the reader waits for the end, and for no piece
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: EngineError | None = None

    async def begun(self) -> None:
        """Return when the head is there."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._wait()

    def __aiter__(self) -> "HttpReply":
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            await self._wait()
        return self._take()

    async def read(self, limit: int) -> bytes:
        """Return what is left of the body. One over `limit` bytes is a BrokenReply."""
        self._whole, self._most = True, limit
        if self._source is not None and self._unread <= limit:
            self._source.resume()
        while not self._ended and self._error is None and self._unread <= limit:
            await self._wait()
        if self._unread > limit:
            where = self._source.where if self._source else "the server"
            self._pieces.clear()
            self.close()
            raise BrokenReply(
                f"{where} sent an answer of more than {limit} bytes. Ask for less at once."
            )
        if self._error is not None:
            raise self._error
        return self._take()

    def close(self) -> None:
        """Give up what is still to come, and its connection with it."""
        source = self._source
        if source is None:
            return
        self._pieces.clear()
        source.drop()
        self.fail(BrokenReply(f"The answer of {source.where} was closed before its end."))

    def put(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(piece)
        self._unread += len(piece)

    def arrived(self) -> bool:
        """Wake the reader if it waits for this; say whether the server should wait."""
        full = self._unread > self._most
        if full or not self._whole:
            self._wake()
        return full

    def end(self) -> None:
        """All of it is here."""
        self._ended = True
        self._source = None
        self._wake()

    def fail(self, error: EngineError) -> None:
        """No more will come. What is here can still be read."""
        self._error = error
        self._source = None
        self._wake()

    def _take(self) -> bytes:
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._unread = 0
        if self._source is not None:
            self._source.resume()
        return data

    async def _wait(self) -> None:
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        except BaseException:  # cancelled: nobody will read on
            self.close()
            raise
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
