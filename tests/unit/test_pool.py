"""The pool: few connections, whole replies, and nothing left behind."""

import asyncio
import ssl
import subprocess
from collections.abc import Callable, Coroutine
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from feilun.errors import BrokenReply, EngineError, TimedOut, Unreachable
from feilun.models.h1 import Connection
from feilun.models.pool import Pool
from feilun.models.wire import Address, Headers, Timeouts
from feilun.testing.upstream import (
    SSE_HEAD,
    TEXT,
    Exchange,
    Upstream,
    answer,
    chat_stream,
    chunk,
    close_after,
    endless,
    hang,
    hang_after,
    head,
    raw,
    refusing,
    surplus,
    whole,
)

PATIENT = Timeouts(connect=10, first_byte=10, idle=10, total=20)
LIMIT = 1 << 20
Run = Callable[[Callable[[Pool], Coroutine[Any, Any, Any]]], Any]  # a test's body gives anything


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test's body in a loop of each kind, with a pool that must end empty."""
    make = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def go(body: Callable[[Pool], Coroutine[Any, Any, Any]]) -> Any:
        async def work() -> Any:
            async with Pool() as pool, asyncio.timeout(30):
                found = await body(pool)
            assert pool.open == 0
            return found

        with asyncio.Runner(loop_factory=make) as runner:
            return runner.run(work())

    return go


@pytest.fixture
def up() -> Any:
    with Upstream() as server:
        yield server
        assert server.wait_until(lambda: server.connections_open == 0)
        assert server.failures == []


def at(up: Upstream) -> Address:
    return Address("127.0.0.1", up.port)


async def post(
    pool: Pool, to: Address, body: bytes = b"{}", timeouts: Timeouts = PATIENT, path: bytes = b"/"
) -> Any:
    return await pool.send(to, b"POST", path, [], body, timeouts)


async def text(pool: Pool, to: Address) -> bytes:
    reply = await post(pool, to)
    return await reply.read(LIMIT)


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something holds; the body's own time limit ends it."""
    while not holds():
        await asyncio.sleep(0)


def test_a_thousand_calls_in_a_row_open_one_connection(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        for _ in range(1000):
            assert await text(pool, at(up)) == b'{"a": 1}'
        assert (pool.opened, pool.reused, pool.open, pool.retried) == (1, 999, 1, 0)

    up.behave(answer({"a": 1}))
    run(body)
    assert up.connections_opened == 1


def test_calls_at_once_open_at_most_one_connection_each(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        for _ in range(5):
            await asyncio.gather(*(text(pool, at(up)) for _ in range(32)))
        assert pool.open <= 32

    up.behave(answer({}))
    run(body)
    assert up.connections_opened <= 32


def test_a_stream_read_to_its_end_gives_its_connection_back(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> bytes:
        for _ in range(20):
            reply = await post(pool, at(up))
            found = b"".join([piece async for piece in reply])
        assert pool.opened == 1
        return found

    up.behave(chat_stream(["a", "b"]))
    assert run(body).endswith(b"data: [DONE]\n\n")


def test_a_request_arrives_as_it_was_sent_with_host_and_length(run: Run, up: Upstream) -> None:
    headers: Headers = [(b"x-one", b"1"), (b"authorization", b"Bearer k")]

    async def body(pool: Pool) -> None:
        sent = await pool.send(at(up), b"POST", b"/v1/x?y=z", headers, b"hello", PATIENT)
        await sent.read(LIMIT)
        await (await pool.send(at(up), b"GET", b"/v1/models", [], b"", PATIENT)).read(LIMIT)

    run(body)
    first, second = up.requests
    assert (first.method, first.path, first.body) == ("POST", "/v1/x?y=z", b"hello")
    assert first.headers == {
        "host": f"127.0.0.1:{up.port}",
        "x-one": "1",
        "authorization": "Bearer k",
        "content-length": "5",
    }
    assert second.headers == {"host": f"127.0.0.1:{up.port}"}


def test_a_reply_has_its_status_and_headers_in_lower_case(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> tuple[int, Headers, bytes]:
        reply = await post(pool, at(up))
        return reply.status, reply.headers, await reply.read(LIMIT)

    up.behave(raw(whole(b"no", 429, "text/plain", [("Retry-After", "7")])))
    status, headers, found = run(body)
    assert (status, found) == (429, b"no")
    assert (b"retry-after", b"7") in headers


def test_an_idle_connection_that_the_server_closed_costs_one_more_try(
    run: Run, up: Upstream
) -> None:
    async def body(pool: Pool) -> None:
        await text(pool, at(up))
        assert await text(pool, at(up)) == b'{"again": true}'
        assert (pool.opened, pool.reused, pool.retried) == (2, 1, 1)

    up.script = [answer({}), close_after(), answer({"again": True})]
    run(body)
    assert len(up.requests) == 3


def test_a_used_connection_that_gave_a_byte_is_not_tried_again(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        await text(pool, at(up))
        with pytest.raises(BrokenReply, match="in the middle"):
            await text(pool, at(up))

    up.script = [answer({}), close_after(b"HTTP/1.1 2")]
    run(body)
    assert len(up.requests) == 2


def test_a_fresh_connection_that_dies_is_a_broken_reply_and_no_second_try(
    run: Run, up: Upstream
) -> None:
    async def body(pool: Pool) -> None:
        with pytest.raises(BrokenReply, match="without an answer"):
            await text(pool, at(up))

    up.behave(close_after())
    run(body)
    assert len(up.requests) == 1


def test_an_idle_connection_that_the_server_closes_is_let_go(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        await text(pool, at(up))
        await asyncio.to_thread(up.go_away)
        await until(lambda: pool.open == 0)
        await asyncio.to_thread(up.come_back)
        await text(pool, at(up))
        assert pool.retried == 0

    run(body)


def test_a_connection_is_dropped_when_it_was_idle_for_too_long(run: Run, up: Upstream) -> None:
    async def body(_: Pool) -> None:
        async with Pool(idle_seconds=0.02) as pool:
            await asyncio.gather(*(text(pool, at(up)) for _ in range(3)))
            await until(lambda: pool.open == 0)
            await text(pool, at(up))

    run(body)


def test_no_more_connections_stay_idle_than_may(run: Run, up: Upstream) -> None:
    async def body(_: Pool) -> None:
        async with Pool(most_idle_per_server=2) as pool:
            await asyncio.gather(*(text(pool, at(up)) for _ in range(8)))
            await until(lambda: pool.open <= 2)

    run(body)


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        (b"HEAD", head(200, [("content-length", "1000")])),
        (b"POST", head(204)),
        (b"POST", head(304, [("content-length", "1000")])),
        (b"POST", head(200, [("content-length", "0")])),
    ],
    ids=["HEAD", "204", "304", "length 0"],
)
def test_a_reply_without_a_body_ends_with_its_head(
    run: Run, up: Upstream, method: bytes, reply: bytes
) -> None:
    async def body(pool: Pool) -> None:
        for _ in range(2):
            found = await pool.send(at(up), method, b"/", [], b"", PATIENT)
            assert await found.read(LIMIT) == b""

    up.behave(raw(reply))
    run(body)


def test_announcements_before_a_reply_are_read_over(run: Run, up: Upstream) -> None:
    early = head(100) + head(103, [("link", "</x>")])

    async def body(pool: Pool) -> None:
        reply = await post(pool, at(up))
        assert reply.status == 200
        assert not [name for name, _ in reply.headers if name == b"link"]
        assert await reply.read(LIMIT) == b"{}"
        assert pool.open == 1

    up.behave(raw(early + whole(b"{}")))
    run(body)


def test_a_body_without_length_ends_with_its_connection(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        assert await text(pool, at(up)) == b"all of it"
        await until(lambda: pool.open == 0)

    up.behave(close_after(head(200) + b"all of it"))
    run(body)


def test_connection_close_is_honoured(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        for _ in range(3):
            assert await text(pool, at(up)) == b"{}"
        assert (pool.opened, pool.reused) == (3, 0)

    up.behave(raw(whole(b"{}", extra=[("connection", "close")])))
    run(body)


def test_a_connection_with_bytes_after_the_end_is_thrown_away(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        for _ in range(3):
            assert b"chatcmpl" in await text(pool, at(up))
        assert pool.reused == 0

    up.behave(surplus)
    run(body)


def test_a_large_request_waits_for_a_server_that_reads_slowly(run: Run, up: Upstream) -> None:
    large = bytes(range(256)) * (12 << 12)  # 12 MB

    async def body(pool: Pool) -> None:
        reply = await post(pool, at(up), large)
        assert await reply.read(LIMIT) == b"{}"

    up.behave(answer({}))
    run(body)
    assert up.requests[0].body == large


class _Hasty(asyncio.Protocol):
    """A server that answers as soon as something comes, and reads no more."""

    def __init__(self) -> None:
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, _data: bytes) -> None:
        self.transport.write(whole(b"too large", 413))
        self.transport.pause_reading()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.gone.set_result(None)


def test_an_early_answer_to_a_large_request_is_read_and_its_connection_dropped(run: Run) -> None:
    async def body(pool: Pool) -> None:
        hasty = _Hasty()
        server = await asyncio.get_running_loop().create_server(lambda: hasty, "127.0.0.1", 0)
        async with server:
            to = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            reply = await post(pool, to, bytes(32 << 20))
            assert (reply.status, await reply.read(LIMIT)) == (413, b"too large")
            await until(lambda: pool.open == 0)
            hasty.transport.abort()
            await hasty.gone

    run(body)


def test_a_reader_that_does_not_read_slows_the_server(run: Run, up: Upstream) -> None:
    part = chunk(b"x" * 65536)

    async def body(pool: Pool) -> None:
        reply = await post(pool, at(up))
        sent = -1
        while sent != up.exchanges[0].sent or sent == len(SSE_HEAD):  # until it stands still
            sent = up.exchanges[0].sent
            for _ in range(2000):
                await asyncio.sleep(0)
        assert sent < 32 << 20  # ours, and the buffers of the system
        read = 0
        async for piece in reply:
            read += len(piece)
            if read > 2 * sent:
                break
        reply.close()

    up.behave(endless(part))
    run(body)


def test_a_body_over_the_limit_is_refused_and_not_kept(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        reply = await post(pool, at(up))
        with pytest.raises(BrokenReply, match="more than 100000 bytes"):
            await reply.read(100_000)
        await until(lambda: pool.open == 0)

    up.behave(endless(chunk(b"y" * 5000)))
    run(body)


def test_a_whole_body_may_be_larger_than_the_buffer(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        reply = await post(pool, at(up))
        assert len(await reply.read(4 << 20)) == 3 << 20
        assert pool.open == 1

    up.behave(raw(whole(b"z" * (3 << 20))))
    run(body)


def test_closing_a_reply_that_was_half_read_closes_its_connection(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        reply = await post(pool, at(up))
        assert await anext(aiter(reply)) == b"part"
        reply.close()
        reply.close()
        with pytest.raises(BrokenReply, match="closed before its end"):
            await reply.read(LIMIT)
        await until(lambda: pool.open == 0)

    up.behave(hang_after(SSE_HEAD + chunk(b"part")))
    run(body)
    assert up.wait_until(lambda: up.connections_open == 0)


def test_closing_wakes_a_reader_that_waits(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        reply = await post(pool, at(up))
        asyncio.get_running_loop().call_soon(reply.close)
        with pytest.raises(BrokenReply):
            await reply.read(LIMIT)

    up.behave(hang_after(SSE_HEAD))
    run(body)


def test_closing_a_reply_that_was_read_leaves_its_connection(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        reply = await post(pool, at(up))
        await reply.read(LIMIT)
        reply.close()
        await text(pool, at(up))
        assert pool.opened == 1

    run(body)


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 O", SSE_HEAD, SSE_HEAD + chunk(b"x")])
def test_a_cancelled_caller_leaves_no_connection(run: Run, up: Upstream, begin: bytes) -> None:
    async def body(pool: Pool) -> None:
        task = asyncio.create_task(text(pool, at(up)))
        await until(lambda: bool(up.exchanges) and up.exchanges[-1].sent == len(begin))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: pool.open == 0)

    up.behave(hang_after(begin) if begin else hang)
    run(body)


def test_a_caller_cancelled_while_connecting_leaves_no_connection(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        for turns in range(8):
            task = asyncio.create_task(text(pool, at(up)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: pool.open == 0)

    up.behave(hang)
    run(body)


def test_closing_the_pool_breaks_off_what_is_arriving(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        reply = await post(pool, at(up))
        waiting = asyncio.create_task(reply.read(LIMIT))
        await asyncio.sleep(0)
        await pool.close()
        await pool.close()
        assert pool.open == 0
        with pytest.raises(BrokenReply, match="on our side"):
            await waiting
        with pytest.raises(Unreachable, match="shutting down"):
            await text(pool, at(up))

    up.behave(hang_after(SSE_HEAD))
    run(body)


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nx: "], ids=["no head", "half a head"])
def test_a_server_that_falls_silent_is_given_up_and_its_connection_closed(
    run: Run, up: Upstream, begin: bytes
) -> None:
    async def body(pool: Pool) -> None:
        with pytest.raises(TimedOut, match="did not begin to answer"):
            await post(pool, at(up), timeouts=Timeouts(10, first_byte=0.05))
        await until(lambda: pool.open == 0)

    up.behave(hang_after(begin) if begin else hang)
    run(body)
    assert up.wait_until(lambda: up.connections_open == 0)


def test_a_later_request_may_be_less_patient_than_the_one_before(run: Run, up: Upstream) -> None:
    async def body(pool: Pool) -> None:
        await text(pool, at(up))
        with pytest.raises(TimedOut):
            await post(pool, at(up), timeouts=Timeouts(first_byte=0.05))
        assert pool.reused == 1

    up.script = [answer({}), hang]
    run(body)


def test_a_port_where_nobody_listens_is_unreachable(run: Run) -> None:
    async def body(pool: Pool) -> None:
        with refusing() as url, pytest.raises(Unreachable, match="cannot be reached"):
            await text(pool, Address("127.0.0.1", int(url.split(":")[2].split("/")[0])))

    run(body)


@pytest.mark.parametrize("host", ["", "a" * 70 + ".example", "\udcff", "127.0.0.1\0"])
def test_a_host_that_is_none_is_unreachable(run: Run, host: str) -> None:
    async def body(pool: Pool) -> None:
        with pytest.raises(EngineError):
            await text(pool, Address(host, 1))

    run(body)


def test_a_server_that_takes_no_connection_in_time_is_unreachable(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent, so it is safe to ask again."""

    async def body(pool: Pool) -> None:
        async def never(*_: object, **__: object) -> None:
            await asyncio.Event().wait()

        loop = asyncio.get_running_loop()
        if isinstance(loop, uvloop.Loop):
            return  # its methods cannot be replaced
        monkeypatch.setattr(loop, "create_connection", never)
        with pytest.raises(Unreachable, match=r"took no connection in 0\.01 s"):
            await post(pool, Address("127.0.0.1", 9), timeouts=Timeouts(connect=0.01))

    run(body)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (b"/", [(b"a", b"b\r\nc: d")]),
        (b"/", [(b"a", b"b\nc: d")]),
        (b"/", [(b"a\r", b"b")]),
        (b"/", [(b"a", b"b\0")]),
        (b"/ HTTP/1.1\r\nx: y", []),
        (b"/a b", []),
        (b"http://elsewhere/", []),
        (b"", []),
        (b"/", [(b"content-length", b"1")]),
        (b"/", [(b"transfer-encoding", b"chunked")]),
        (b"/", [(b"host", b"elsewhere")]),
    ],
)
def test_a_request_that_would_forge_another_is_refused(
    run: Run, up: Upstream, path: bytes, headers: Headers
) -> None:
    async def body(pool: Pool) -> None:
        with pytest.raises(EngineError) as caught:
            await pool.send(at(up), b"POST", path, headers, b"", PATIENT)
        assert "c: d" not in str(caught.value)

    run(body)
    assert up.connections_opened == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = ["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
    words += ["-pkeyopt", "ec_paramgen_curve:prime256v1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    out = ["-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run(["openssl", *words, *names, *out], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return cert, key


def test_tls_is_spoken_and_certificates_are_verified(
    run: Run, certificate: tuple[Path, Path]
) -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=str(certificate[0]))

    async def body(pool: Pool) -> None:
        for _ in range(3):
            to = Address("localhost", up.port, tls=True, context=trusting)
            assert TEXT.encode() in await text(pool, to)
        assert pool.opened == 1
        for context in (None, trusting):  # an unknown authority, and a wrong name
            to = Address("127.0.0.1", up.port, tls=True, context=context)
            with pytest.raises(Unreachable, match="certificate does not hold"):
                await text(pool, to)

    async def good(exchange: Exchange) -> None:
        await answer({"text": TEXT})(exchange)

    with Upstream(tls=serving) as up:
        up.behave(good)
        run(body)


class _Pipe(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


class _Handset(asyncio.SelectorEventLoop):
    """A loop whose clock is set by hand."""

    now = 0.0

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("begin", "due", "message"),
    [
        ([], 3.0, "did not begin to answer in 3.0 s"),
        ([b"HTTP/1.1 200 OK\r\nx: "], 3.0, "did not begin to answer in 3.0 s"),
        ([SSE_HEAD], 5.0, "fell silent in its answer for 5.0 s"),
        ([SSE_HEAD, chunk(b"x"), chunk(b"y"), chunk(b"z")], 10.0, "had not finished .* 10.0 s"),
    ],
    ids=["no head", "half a head", "no body", "no end"],
)
def test_a_silence_is_given_up_when_it_is_too_long_and_not_before(
    begin: list[bytes], due: float, message: str
) -> None:
    """Pieces come every two seconds; first byte, idle and total are 3, 5 and 10."""

    async def work() -> None:
        connection, pipe = Connection(Pool(), "http://x", [], loop), _Pipe()
        connection.connection_made(pipe)
        asking = asyncio.create_task(_ask_and_read(connection, Timeouts(10, 3, 5, 10)))
        await asyncio.sleep(0)
        for n, piece in enumerate(begin):
            loop.now = 2.0 * n
            connection.data_received(piece)
        for now, over in [(due - 0.1, False), (due, True)]:
            loop.now = now
            for _ in range(10):  # more turns than a timer and a task need
                await asyncio.sleep(0)
            assert asking.done() is over
        assert pipe.closed
        with pytest.raises(TimedOut, match=message):
            await asking

    loop = _Handset()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work())


async def _ask_and_read(connection: Connection, timeouts: Timeouts) -> bytes:
    return await (await connection.ask(b"", b"", False, timeouts)).read(LIMIT)


async def receive(segments: list[bytes], lost: bool = True) -> tuple[int, bytes, bool]:
    """What a reply makes of these segments: status, body, and whether the connection lives on."""
    loop, pool, idle = asyncio.get_running_loop(), Pool(), list[Connection]()
    connection, pipe = Connection(pool, "http://x", idle, loop), _Pipe()
    connection.connection_made(pipe)
    asking = asyncio.create_task(connection.ask(b"", b"", False, PATIENT))
    await asyncio.sleep(0)
    for segment in segments:
        if not pipe.closed:
            connection.data_received(segment)
    alive = bool(idle)
    if lost or pipe.closed:
        connection.connection_lost(None)
    reply = await asking
    return reply.status, await reply.read(LIMIT), alive


REPLIES = {
    "length": whole(b'{"a":"b"}'),
    "chunks": SSE_HEAD + chunk(b"data: 1\n\n") + chunk(b"data: 2\n\n") + chunk(b""),
    "trailers": SSE_HEAD + chunk(b"data: 1\n\n") + b"0\r\nx-sum: 1\r\n\r\n",
    "announced": head(100) + whole(b"x" * 50),
}


@given(st.sampled_from(sorted(REPLIES)), st.lists(st.integers(0, 200), max_size=12))
def test_a_reply_is_the_same_however_it_is_cut(name: str, cuts: list[int]) -> None:
    data = REPLIES[name]
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    segments = [data[a:b] for a, b in pairwise(edges) if a < b]
    expected = asyncio.run(receive([data], lost=False))
    assert expected[0] == 200
    assert expected[2]
    assert asyncio.run(receive(segments, lost=False)) == expected


@given(st.sampled_from(sorted(REPLIES)), st.data())
def test_a_reply_that_is_cut_off_anywhere_is_a_broken_one(name: str, data: st.DataObject) -> None:
    reply = REPLIES[name]
    cut = data.draw(st.integers(0, len(reply) - 1))
    with pytest.raises(BrokenReply):
        asyncio.run(receive([reply[:cut]] if cut else []))


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"\r\n", b"content-length: 5\r\n", SSE_HEAD]),
            st.sampled_from([b"transfer-encoding: chunked\r\n", b"5\r\nhello\r\n", head(101)]),
        ),
        max_size=12,
    )
)
def test_whatever_bytes_come_it_is_a_reply_or_a_named_error(segments: list[bytes]) -> None:
    try:
        status, _, _ = asyncio.run(receive([part for part in segments if part]))
    except BrokenReply as error:
        assert str(error).startswith("http://x ")  # noqa: PT017 - either outcome is allowed
    else:
        assert 200 <= status <= 999


def test_a_reader_that_comes_late_takes_all_that_is_there_at_once() -> None:
    async def work() -> list[bytes]:
        loop, pipe = asyncio.get_running_loop(), _Pipe()
        connection = Connection(Pool(), "http://x", [], loop)
        connection.connection_made(pipe)
        loop.call_soon(connection.data_received, SSE_HEAD)
        reply = await connection.ask(b"", b"", False, PATIENT)
        for _ in range(50):
            connection.data_received(chunk(b"small"))
        connection.data_received(chunk(b""))
        return [piece async for piece in reply]

    assert asyncio.run(work()) == [b"small" * 50]
