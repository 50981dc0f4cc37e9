"""One connection of the gateway's server, byte by byte, before small applications."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import uvicorn

from feilun.gateway.http import Message, Receive, Request, Send
from feilun.gateway.leaving import Watch
from feilun.gateway.protocol import (
    BODY_SECONDS,
    HEAD_SECONDS,
    STALLED_SECONDS,
    GuardedProtocol,
    sweep,
)

App = Callable[[Message, Receive, Send], Awaitable[None]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PLAIN = (b"content-type", b"text/plain")


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Answer a request with what it said."""
    request = Request(scope, receive, send)
    body = await request.body(1 << 20)
    target = f"{request.method} {request.path} {scope['query_string'].decode()} ".encode()
    await request.answer(200, target + body, [PLAIN])


async def stream(scope: Message, receive: Receive, send: Send) -> None:
    """Answer in three pieces of no length that was told."""
    request = Request(scope, receive, send)
    await request.start(200, [PLAIN])
    for piece in (b"one ", b"two ", b""):
        await request.piece(piece, more=bool(piece))


class Served:
    """A server of one application, and its connections."""

    def __init__(self, app: App) -> None:
        self.config = uvicorn.Config(app, lifespan="off", log_config=None)
        self.config.load()
        self.config.loaded_app = app
        self.server = uvicorn.Server(self.config)
        self.made: list[GuardedProtocol] = []

    def connection(self) -> GuardedProtocol:
        made = GuardedProtocol(self.config, self.server.server_state, {})
        self.made.append(made)
        return made


def talk(app: App, to: Talk, served: Served | None = None) -> Served:
    """Connect once, and say what is to be said."""
    served = served or Served(app)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(served.connection, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(10):
            await to(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        server.close()
        while served.server.server_state.tasks or served.server.server_state.connections:
            await asyncio.sleep(0)

    asyncio.run(main())
    return served


def said(app: App, *sent: bytes) -> bytes:
    """All that the server says to these bytes before it, or we, end the connection."""
    heard = b""

    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        for piece in sent:
            writer.write(piece)
            await writer.drain()
        heard = await reader.read()

    talk(app, to)
    return heard


def get(path: bytes = b"/", *headers: bytes, version: bytes = b"1.1") -> bytes:
    lines = [b"GET " + path + b" HTTP/" + version, b"host: x", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


END = b"connection: close"


def test_an_answer_has_its_length_and_the_connection_ends_when_it_is_asked_to() -> None:
    assert said(echo, get(b"/a%20b?c=d", END)) == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n"
        b"connection: close\r\n\r\nGET /a b c=d "
    )


def test_a_stream_goes_in_chunks() -> None:
    heard = said(stream, get(b"/", END))
    assert b"transfer-encoding: chunked" in heard
    assert heard.endswith(b"\r\n\r\n4\r\none \r\n4\r\ntwo \r\n0\r\n\r\n")


def test_a_stream_for_http_1_0_ends_with_the_connection() -> None:
    heard = said(stream, get(version=b"1.0"))
    assert b"chunked" not in heard
    assert heard.endswith(b"\r\n\r\none two ")


def test_head_gets_a_head_and_no_body() -> None:
    asked = b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n"
    heard = said(echo, asked + get(b"/", END))
    first, _, second = heard.partition(b"\r\n\r\n")
    assert b"content-length: 8" in first
    assert second.startswith(b"HTTP/1.1 200 OK")


def test_pipelined_requests_are_answered_one_after_the_other() -> None:
    asked = b"".join(get(b"/%d" % number) for number in range(5)) + get(b"/last", END)
    heard = said(echo, asked)
    paths = [line.split()[1] for line in heard.splitlines() if line.startswith(b"GET ")]
    assert heard.count(b"HTTP/1.1 200 OK") == 6
    assert b"/4" in heard
    assert heard.endswith(b"GET /last  ")
    assert paths[0].startswith(b"/0")


def test_a_body_in_pieces_arrives_whole() -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\nconnection: close\r\n\r\n"
    heard = said(echo, head, b"a" * 100_000, b"b" * 100_000)
    assert heard.endswith(b"a" * 100_000 + b"b" * 100_000)


def test_a_client_that_asks_first_is_told_to_go_on_once() -> None:
    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nexpect: 100-continue\r\n"
            b"connection: close\r\n\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")
        assert (await reader.read()).count(b"HTTP/1.1") == 1

    talk(echo, to)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET \xff HTTP/1.1\r\nhost: x\r\n\r\n", b"400"),
        (get(b"/", *[b"x-%d: y" % number for number in range(200)]), b"431"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000, b"431"),
    ],
)
def test_what_is_no_request_is_refused_in_our_own_shape(asked: bytes, status: bytes) -> None:
    heard = said(echo, asked)
    assert heard.startswith(b"HTTP/1.1 " + status)
    assert b'"error"' in heard


def test_a_header_that_would_forge_another_ends_the_connection() -> None:
    async def forge(scope: Message, receive: Receive, send: Send) -> None:
        with pytest.raises(ValueError, match="line break"):
            await Request(scope, receive, send).answer(200, b"", [(b"x", b"1\r\nset-cookie: y")])

    assert said(forge, get()) == b""


def test_an_application_that_says_nothing_ends_the_connection() -> None:
    async def nothing(scope: Message, receive: Receive, send: Send) -> None:
        pass

    assert said(nothing, get()) == b""


def test_whoever_answers_is_told_at_once_that_the_client_has_left() -> None:
    left = asyncio.Event()

    async def wait(scope: Message, receive: Receive, send: Send) -> None:
        watch = Watch(Request(scope, receive, send))
        try:
            await asyncio.Future()
        except asyncio.CancelledError:
            assert watch.left
            left.set()
        finally:
            watch.stop()

    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        writer.write(get())
        await asyncio.sleep(0)
        writer.close()
        await left.wait()

    talk(wait, to)


def test_a_client_that_reads_nothing_is_waited_for_and_then_let_go() -> None:
    """The pieces that it does not take do not fill the memory."""
    sent = 0

    async def flood(scope: Message, receive: Receive, send: Send) -> None:
        nonlocal sent
        request = Request(scope, receive, send)
        await request.start(200, [PLAIN])
        while not served.made[0].transport.is_closing():
            await request.piece(b"x" * 65536)
            sent += 1

    served = Served(flood)

    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # of TCP
        writer.write(get())
        stood = -1
        while not sent or sent != stood:  # until it waits
            stood = sent
            for _ in range(100):
                await asyncio.sleep(0)
        now = asyncio.get_running_loop().time()
        assert sweep(served.made, now) == 0
        assert sweep(served.made, now + STALLED_SECONDS + 1) == 1

    talk(flood, to, served)
    assert 0 < sent < 1000


def test_the_sweep_ends_heads_bodies_and_pauses_that_take_too_long() -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        for sent, seconds in (
            (b"GET / HT", HEAD_SECONDS),
            (b"TP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n", BODY_SECONDS),
            (b"hello", served.config.timeout_keep_alive),
        ):
            writer.write(sent)
            await asyncio.sleep(0)
            if sent == b"hello":
                await reader.readuntil(b"hello")
            while not served.made[0].is_late(loop.time() + seconds + 1):
                await asyncio.sleep(0)
            assert sweep(served.made, loop.time() + seconds - 1) == 0
        assert sweep(served.made, loop.time() + seconds + 1) == 1

    served = Served(echo)
    talk(echo, late, served)


def test_a_server_that_drains_answers_what_has_begun() -> None:
    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n")
        while not served.server.server_state.tasks:
            await asyncio.sleep(0)
        served.made[0].shutdown()
        writer.write(b"body")
        assert (await reader.read()).endswith(b"body")  # and then it is over

    served = Served(echo)
    talk(echo, to, served)


def test_a_server_that_repeats_itself_does_not_hold_the_loop() -> None:
    async def again() -> Message:
        return {"type": "http.request", "body": b""}

    async def silent(message: Message) -> None:
        """Take an answer."""

    async def main() -> None:
        request = Request({"method": "GET", "path": "/", "headers": []}, again, silent)
        waiting = asyncio.create_task(request.gone())
        for _ in range(3):
            await asyncio.sleep(0)
        assert waiting.cancel()  # others had their turn

    asyncio.run(main())


def test_the_head_of_a_stream_does_not_wait_for_its_first_piece() -> None:
    go_on = asyncio.Event()

    async def slow(scope: Message, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        await request.start(200, [PLAIN])
        await go_on.wait()
        await request.piece(b"late", more=False)

    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(get(b"/", END))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        go_on.set()
        assert await reader.read() == b"4\r\nlate\r\n0\r\n\r\n"

    talk(slow, to)
