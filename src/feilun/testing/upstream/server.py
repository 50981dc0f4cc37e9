"""The faulty server: HTTP/1.1 on 127.0.0.1, in a thread of its own, obeying a script.

A request takes the next behaviour of `script`, and where that is used up what `behave`
named: at first, a model server that answers well.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress

from feilun.testing.upstream.exchange import Behaviour, Exchange, Request
from feilun.testing.upstream.model import model_server

LONGEST_LINE = 1 << 27  # of a request: this server is no place to test limits of requests
BACKLOG = 1024
HANDSHAKE_SECONDS = 5.0


class Upstream:
    """A model server for tests, good until told otherwise. Use it as a context manager.

    `url` is what a configuration takes ("http://127.0.0.1:port/v1"). Everything may be
    read and set from any thread while it runs, in or beside an event loop.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.script: list[Behaviour] = []
        self.requests: list[Request] = []
        self.exchanges: list[Exchange] = []
        self.connections_opened = 0
        self.connections_open = 0
        self.failures: list[BaseException] = []
        self._tls = tls
        self._usual: Behaviour = model_server
        self._loop = asyncio.new_event_loop()
        self._changed = threading.Condition()
        self._wires: set[_Wire] = set()
        self._welcomes: set[asyncio.Task[None]] = set()
        self._door: socket.socket | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="feilun-upstream")
        self.port = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where an OpenAI client points its `base_url`."""
        return self.origin + "/v1"

    def behave(self, usual: Behaviour) -> None:
        """Do this with every request that the script does not cover."""
        self._usual = usual

    def go_away(self) -> None:
        """Stop listening and drop all connections: whoever asks now is refused."""
        self._await(self._hang_up())

    def come_back(self) -> None:
        """Listen again, on the same port."""
        self._await(self._listen())

    def wait_until(self, holds: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Wait for something about this server, such as `connections_open == 0`."""
        with self._changed:
            return self._changed.wait_for(holds, seconds)

    def __enter__(self) -> "Upstream":
        self._thread.start()
        self._await(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._await(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def next_behaviour(self) -> Behaviour:
        """What the next request meets."""
        return self.script.pop(0) if self.script else self._usual

    def changed(self, wire: "_Wire", *, opened: int = 0, open: int = 0) -> None:
        """Count, and wake those who wait for it."""
        with self._changed:
            self.connections_opened += opened
            self.connections_open += open
            if open:
                (self._wires.add if open > 0 else self._wires.discard)(wire)
            self._changed.notify_all()

    async def _listen(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self.port), backlog=BACKLOG)
        self._door.setblocking(False)
        self.port = self._door.getsockname()[1]
        self._loop.add_reader(self._door, self._accept, self._door)

    def _accept(self, door: socket.socket) -> None:
        """Take the next who waits.

        An `asyncio.Server` would do it, but not end well: one that is closed between an
        accept and the first step of what follows it loses that socket (Python 3.11).
        """
        with suppress(OSError):  # who waited has gone, or no file is left for him
            accepted, _ = door.accept()
            welcome = self._loop.create_task(self._welcome(accepted))
            self._welcomes.add(welcome)
            welcome.add_done_callback(self._welcomes.discard)

    async def _welcome(self, accepted: socket.socket) -> None:
        with suppress(OSError):  # a handshake that failed
            await self._loop.connect_accepted_socket(
                lambda: _Wire(self, self._loop),
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self._tls else None,
            )

    async def _hang_up(self) -> None:
        door, self._door = self._door, None
        if door:
            self._loop.remove_reader(door)
            door.close()
        await asyncio.gather(*self._welcomes)
        for wire in list(self._wires):
            wire.transport.abort()
        while self._wires:
            await asyncio.sleep(0)

    async def _end(self) -> None:
        await self._hang_up()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _await(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


class _Wire(asyncio.Protocol):
    """One connection: reads requests one after the other and lets behaviours answer."""

    transport: asyncio.Transport

    def __init__(self, upstream: Upstream, loop: asyncio.AbstractEventLoop) -> None:
        self._upstream = upstream
        self._loop = loop
        self._reader = asyncio.StreamReader(LONGEST_LINE, loop)
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read requests."""
        self.transport = transport  # type: ignore[assignment]  # TCP: reads and writes
        self._upstream.changed(self, opened=1, open=1)
        self._task = self._loop.create_task(self._serve())

    def connection_lost(self, _exc: Exception | None) -> None:
        """Cancel what still answers."""
        if self._task:
            self._task.cancel()
        self._upstream.changed(self, open=-1)

    def data_received(self, data: bytes) -> None:
        """Keep it for the next request."""
        self._reader.feed_data(data)

    def pause_writing(self) -> None:
        """The client reads slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has read."""
        self._writable.set()

    async def drain(self) -> None:
        """Return when there is room to write."""
        await self._writable.wait()

    async def _serve(self) -> None:
        try:
            while not self.transport.is_closing():
                await self._answer(Exchange(await _read_request(self._reader), self))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.transport.close()
        except Exception as wrong:  # a behaviour with a bug: the test should see it
            self._upstream.failures.append(wrong)
            self.transport.abort()

    async def _answer(self, exchange: Exchange) -> None:
        self._upstream.requests.append(exchange.request)
        self._upstream.exchanges.append(exchange)
        behaviour = self._upstream.next_behaviour()
        self._upstream.changed(self)
        await behaviour(exchange)
        if exchange.request.headers.get("connection", "").lower() == "close":
            self.transport.close()
        self._upstream.changed(self)


async def _read_request(reader: asyncio.StreamReader) -> Request:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {}
    for line in filter(None, lines[1:]):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Request(method, path, headers, await _read_chunks(reader))
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body
