"""Clients that are only sockets: thousands in one process, and as ill-mannered as a test wants.

async with Crowd(server) as crowd:
    wire = await crowd.connect()
    wire.say(crowd.request(stream=True))
    await wire.hear(b"[DONE]")
"""

import asyncio
import json
import resource
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gateway_server import Running

from feilun.records import Json

_SPARE = 400  # files that a process has open besides: libraries, the store, pipes
_AT_ONCE = 100  # connections that are being made


def allow_files(needed: int) -> None:
    """Let this process and its children open so many files; skip the test where that is forbidden.

    It stays so for the tests after it, which do not mind.
    """
    needed += _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(needed, hard)))
    except (ValueError, OSError):
        pytest.skip(f"needs {needed} open files, and {hard} are allowed: raise `ulimit -Hn`")


def open_files(server: Running) -> int:
    """Files of the gateway's process, less the store's and the connections that its pool keeps."""
    found = []
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    mine = [name for name in found if not name.startswith(str(server.store))]
    return len(mine) - server.upstream.connections_open


def resident_kilobytes(server: Running) -> int:
    """Memory that the gateway's process holds now."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


class Wire(asyncio.Protocol):
    """One connection: says the bytes it is told, keeps those it hears."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.heard = bytearray()
        self.closed = False
        self.transport: asyncio.Transport
        self._changed = changed
        self._waits: tuple[bytes, asyncio.Future[None]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self.transport = transport  # type: ignore[assignment]  # TCP: reads and writes

    def data_received(self, data: bytes) -> None:
        """Keep what is heard."""
        self.heard += data
        self._look()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Whoever waits has waited for nothing."""
        self.closed = True
        self._look()
        self._changed()

    def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.transport.write(data)

    async def hear(self, end: bytes) -> bytes:
        """What was heard until this came. Raises ConnectionResetError where it never does."""
        if end not in self.heard and not self.closed:
            waiter = asyncio.get_running_loop().create_future()
            self._waits = (end, waiter)
            await waiter
            self._waits = None
        if end not in self.heard:
            raise ConnectionResetError(f"closed after {bytes(self.heard[-200:])!r}")
        said = bytes(self.heard)
        self.heard.clear()
        return said

    def reset(self) -> None:
        """Leave with a reset (RST)."""
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _look(self) -> None:
        if self._waits is not None:
            end, waiter = self._waits
            if not waiter.done() and (self.closed or end in self.heard):
                waiter.set_result(None)


class Crowd:
    """Connections to one gateway, all of them closed at the end of the `async with` block."""

    def __init__(self, server: Running) -> None:
        url = urlsplit(server.url)
        self._at = (url.hostname, url.port)
        self._key = server.key
        self._wires: list[Wire] = []
        self._door = asyncio.Semaphore(_AT_ONCE)
        self._open = 0
        self._empty = asyncio.Event()

    async def connect(self) -> Wire:
        """A new connection."""
        async with self._door:
            loop = asyncio.get_running_loop()
            _, wire = await loop.create_connection(lambda: Wire(self._lost), *self._at)
        self._wires.append(wire)
        self._open += 1
        return wire

    def request(self, *, model: str = "mock-small", **fields: Json) -> bytes:
        """A chat completion as bytes."""
        said: Json = [{"role": "user", "content": "hi"}]
        body = json.dumps({"model": model, "messages": said, **fields}).encode()
        return (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {self._at[0]}\r\n"
            f"authorization: Bearer {self._key}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def leave(self) -> None:
        """Close all connections."""
        for wire in self._wires:
            wire.transport.abort()
        if self._open:
            self._empty.clear()
            await self._empty.wait()
        self._wires.clear()

    async def __aenter__(self) -> "Crowd":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    def _lost(self) -> None:
        self._open -= 1
        if not self._open:
            self._empty.set()
