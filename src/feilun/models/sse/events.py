"""Splitting a stream of server-sent events, whatever the pieces in which it arrives."""

from typing import NamedTuple

from feilun.errors import BrokenReply

MOST = 8 << 20
"""Bytes of one event. An image that is sent in the stream has a few MB; 10 MB is an accident."""

_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its name, empty where the stream gave none, and its data."""

    name: str
    data: bytes


class Events:
    """Takes a stream's bytes and gives its events. The cutting of the bytes makes no difference.

    Raises BrokenReply for an event that is longer than `MOST` bytes: no more than that is held.
    """

    def __init__(self) -> None:
        self._held = bytearray()  # the begin of an event; its line ends are \n already
        self._after_cr = False
        self._at_start = True

    def feed(self, piece: bytes) -> list[Event]:
        """The events that end in this piece."""
        if self._after_cr or b"\r" in piece:
            piece = self._with_plain_line_ends(piece)
        seen = max(0, len(self._held) - 1)
        self._held += piece
        end = self._held.rfind(b"\n\n", seen)
        if end < 0:
            self._check(self._held)
            return []
        whole = bytes(self._held[:end])
        del self._held[: end + 2]
        self._check(self._held)
        return self._read(whole)

    def end(self) -> list[Event]:
        """The event that the stream's end cut off before its blank line, if there is one."""
        rest = bytes(self._held)
        self._held.clear()
        return self._read(rest)

    def _with_plain_line_ends(self, piece: bytes) -> bytes:
        """CRLF and CR become LF. A CR counts at once: an LF that comes next is its other half."""
        if not piece:
            return piece
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
        self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _read(self, whole: bytes) -> list[Event]:
        if self._at_start:
            self._at_start = False
            whole = whole.removeprefix(_BOM)
        found = []
        check = len(whole) > MOST
        for block in whole.split(b"\n\n"):
            if check:
                self._check(block)
            if block.startswith(b"data: ") and b"\n" not in block:
                found.append(Event("", block[6:]))
            else:
                found.extend(_event(block))
        return found

    def _check(self, event: bytes | bytearray) -> None:
        if len(event) > MOST and len(event.strip(b"\n")) > MOST:
            self._held.clear()
            raise BrokenReply(
                f"The server sent an event of over {MOST >> 20} MB. It sends something else than "
                "a model's answer: check its URL."
            )


def _event(block: bytes) -> list[Event]:
    """The event of some lines; none where they are comments or have no data."""
    name, data = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return [Event(name.decode("utf-8", "replace"), b"\n".join(data))] if data else []
