"""The tail of a stream: what a client takes for its end waits until the call is kept.

Pieces pass through as they came. Only the end is held back: an unfinished line, and the
event that says that the answer is complete.
"""

import re

from feilun.errors import BrokenReply
from feilun.models.dialects import Client
from feilun.models.sse.events import MOST

# What the last event of each dialect holds, and how an event begins.
_END: dict[Client, tuple[tuple[bytes, ...], bytes]] = {
    "chat": ((b"[DONE]",), b"data:"),
    "responses": ((b"response.completed", b"response.incomplete", b"response.failed"), b"event:"),
    "messages": ((b"message_stop",), b"event:"),
}
_USAGE = re.compile(rb'"choices"\s*:\s*\[\s*\]')


class Tail:
    """Passes a stream on piece by piece, and keeps its end in `held`.

    `drop_usage` leaves out the chunk of usage that we asked an engine for and the client
    did not.
    """

    __slots__ = ("_begin", "_drop_usage", "_ends", "held")

    def __init__(self, spoken: Client, *, drop_usage: bool = False) -> None:
        self._ends, self._begin = _END[spoken]
        self._drop_usage = drop_usage
        self.held = b""

    def feed(self, piece: bytes) -> bytes:
        """The bytes that may go to the client now."""
        data = self.held + piece if self.held else piece
        cut = len(data) if data.endswith(b"\n") else data.rfind(b"\n") + 1
        end = max([data.rfind(each) for each in self._ends])
        if end >= 0:
            cut = min(cut, max(0, data.rfind(self._begin, 0, end)))
        if self._drop_usage and (usage := _USAGE.search(data)):
            return self._without_usage(data, cut, usage.start())
        if len(data) - cut > MOST:
            raise BrokenReply(
                f"The engine sent a line of more than {MOST >> 20} MB. It is no event stream."
            )
        self.held = data[cut:]
        return data[:cut] if cut < len(data) else data

    def _without_usage(self, data: bytes, cut: int, at: int) -> bytes:
        """Leave out the chunk of usage, once all of it is there."""
        start = data.rfind(b"data:", 0, at)
        close = data.find(b"\n\n", start)
        if close < 0:  # wait for the rest of the chunk
            self.held = data[start:]
            return data[:start]
        if b'"usage"' in data[start:close]:
            self._drop_usage = False
            data = data[:start] + data[close + 2 :]
            self.held = b""
            return self.feed(data)
        self.held = data[cut:]
        return data[:cut]
