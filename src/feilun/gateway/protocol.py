"""uvicorn's HTTP protocol with the bounds that it leaves open: how large a head, how slow.

httptools collects a header until it is whole, so an endless one would fill the memory, and a
client that sends a byte a minute would hold its connection for ever.
"""

import asyncio
from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from feilun.records import stable_json

HEAD_BYTES = 64 << 10
HEADERS = 100
HEAD_SECONDS = 30.0
BODY_SECONDS = 60.0  # between two pieces: longer than any honest client pauses

_REASONS = {
    400: "The request is no valid HTTP/1.1. Look at the client or the proxy before this server.",
    431: f"The head is larger than {HEAD_BYTES >> 10} kB or has more than {HEADERS} headers. "
    "Send fewer and shorter ones.",
}
_PHRASES = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


class GuardedProtocol(HttpToolsProtocol):
    """Refuses heads that are too large at once, and lets `sweep` end those that never come."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: its first head is awaited from now on."""
        super().connection_made(transport)
        self._head_since: float | None = self.loop.time()
        self._head_bytes = 0
        self._body_since: float | None = None
        self._status = 400

    def data_received(self, data: bytes) -> None:
        """Parse what came, and count it while a head is incomplete."""
        if self.parser is None or self.transport.is_closing():
            return  # what follows a refused request is of no interest
        if self._head_since is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_since is not None and self._head_bytes > HEAD_BYTES:
            self._status = 431
            self.send_400_response("")

    def is_late(self, now: float) -> bool:
        """Whether a head takes too long, or a body stands still."""
        if self._head_since is not None:
            return now - self._head_since > HEAD_SECONDS
        return self._body_since is not None and now - self._body_since > BODY_SECONDS

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """A head is whole. One that is too large ends the parsing, as an invalid path does."""
        if len(self.headers) > HEADERS:
            self._status = 431
            raise ValueError("too many headers")
        self._head_since = None
        self._head_bytes = 0
        self._body_since = self.loop.time()
        self.scope["extensions"] = {"feilun.abort": {"call": self.transport.abort}}
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body has come."""
        self._body_since = self.loop.time()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole: its client has nothing more to send."""
        self._body_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours says what to do next
        """Refuse a request that could not be parsed, in the shape of all our errors."""
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # an answer is on its way: nothing fits between
            return
        error = {"message": _REASONS[self._status], "type": "invalid_request_error"}
        body = stable_json({"error": {**error, "code": "bad_request", "param": None}})
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%s" % (self._status, _PHRASES[self._status], len(body), body)
        )
        self.transport.close()


def sweep(connections: Iterable[object], now: float) -> int:
    """Close the connections whose head or body does not come; returns how many."""
    late = [each for each in connections if isinstance(each, GuardedProtocol) and each.is_late(now)]
    for each in late:
        each.transport.close()
    return len(late)
