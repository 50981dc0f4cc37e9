"""The mock model server in Python, for a machine without a C compiler.

    python upstream_script.py PORT ANSWER EVENTS

upstream.c says what it answers. This one costs about three times as much a call, so on one
core with the load it slows fast proxies down; CPU per call of the proxy hardly changes.
"""

import asyncio
import json
import sys
from collections import deque
from pathlib import Path

import httptools
import uvloop

_CHUNKED = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Mock:
    """What all connections share: the prebuilt pieces, the open streams and the counters."""

    def __init__(self, answer: bytes, events: bytes) -> None:
        self.answer = _json(answer)
        self.models = _json(b'{"object": "list", "data": [{"id": "mock", "object": "model"}]}')
        texts = [event + b"\n\n" for event in events.split(b"\n\n") if event]
        pieces = [b"%x\r\n%s\r\n" % (len(text), text) for text in texts]
        pieces[0] = b"HTTP/1.1 200 OK\r\n" + _CHUNKED + pieces[0]
        pieces[-1] += b"0\r\n\r\n"
        self.pieces = pieces
        self.open: deque[tuple[Line, int]] = deque()
        self.held: list[Line] = []
        self.connections = self.requests = self.streams = 0

    def stats(self) -> bytes:
        """The counters as an answer."""
        counts = {"connections": self.connections, "requests": self.requests}
        return _json(
            json.dumps({**counts, "streams": self.streams, "held": len(self.held)}).encode()
        )

    def start(self, line: "Line", piece: int = 0) -> None:
        """Open a stream, or let a held one go on."""
        if not self.open:
            asyncio.get_running_loop().call_soon(self.send_round)
        self.open.append((line, piece))

    def release(self) -> None:
        """Let all held streams go on."""
        held, self.held = self.held, []
        for line in held:
            self.start(line, 1)

    def send_round(self) -> None:
        """One event for each open stream, then other work, then the next round."""
        for _ in range(len(self.open)):
            line, piece = self.open.popleft()
            if line.transport.is_closing():
                continue
            line.transport.write(self.pieces[piece])
            if line.holds and piece == 0:
                self.held.append(line)
            elif piece + 1 < len(self.pieces):
                self.open.append((line, piece + 1))
            else:
                self.streams += 1
        if self.open:
            asyncio.get_running_loop().call_soon(self.send_round)


class Line(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self.parser = httptools.HttpRequestParser(self)
        self.path = b""
        self.body = b""
        self.holds = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.mock.connections += 1

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        if self in self.mock.held:
            self.mock.held.remove(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.path = url
        self.body = b""

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        if self.parser.get_method() == b"GET":
            self.transport.write(self._look())
            return
        self.mock.requests += 1
        if b'"stream":true' in self.body or b'"stream": true' in self.body:
            self.holds = b"hold-open" in self.body
            self.mock.start(self)
        else:
            self.transport.write(self.mock.answer)

    def _look(self) -> bytes:
        if self.path == b"/_stats":
            return self.mock.stats()
        if self.path == b"/_release":
            self.mock.release()
            return _json(b"{}")
        return self.mock.models


def _json(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


async def serve(port: int, mock: Mock) -> None:
    """Answer until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Line(mock), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Mock(*(Path(name).read_bytes() for name in sys.argv[2:4]))))
