"""What model servers do wrong, asked for JSON and for a stream: a named error, and no leak."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from feilun.errors import BrokenReply, EngineError, TimedOut, Unreachable
from feilun.models.pool import Pool
from feilun.models.wire import Address, Timeouts
from feilun.testing.upstream import (
    SSE_HEAD,
    Behaviour,
    Upstream,
    bad_chunk,
    chunk,
    close_after,
    cut_json,
    cut_stream,
    drip,
    endless,
    error,
    half_event,
    hang,
    hang_after,
    head,
    long_header,
    long_line,
    no_done,
    no_http,
    not_json,
    raw,
    reset_after,
    reset_at,
    surplus,
    too_many_headers,
    whole,
    wrong_type,
    zipped,
)

PATIENT = Timeouts(connect=10, first_byte=10, idle=10, total=20)
QUICK = Timeouts(connect=10, first_byte=0.1, idle=0.1, total=0.2)
LIMIT = 16 << 20
JSON = whole(b'{"object":"chat.completion"}')
CHUNKED = "transfer-encoding", "chunked"


@dataclass(frozen=True)
class Fault:
    """What the server does, and what the pool makes of it: an error, or a reply of this status."""

    behaviour: Behaviour
    outcome: type[EngineError] | int
    timeouts: Timeouts = PATIENT


FAULTS = {
    "reset before an answer": Fault(reset_after(), BrokenReply),
    "close before an answer": Fault(close_after(), BrokenReply),
    "reset in the head": Fault(reset_at(JSON, 20), BrokenReply),
    "reset in the body": Fault(reset_at(JSON, len(JSON) - 3), BrokenReply),
    "close in the body": Fault(cut_json, BrokenReply),
    "close in the stream": Fault(cut_stream, BrokenReply),
    "reset in the stream": Fault(reset_after(SSE_HEAD + chunk(b"data: 1\n\n")), BrokenReply),
    "hang before the head": Fault(hang, TimedOut, QUICK),
    "hang in the head": Fault(hang_after(b"HTTP/1.1 200 OK\r\nx-a: "), TimedOut, QUICK),
    "hang after the head": Fault(hang_after(SSE_HEAD), TimedOut, QUICK),
    "hang in the body": Fault(hang_after(JSON[:-3]), TimedOut, QUICK),
    "slow drip of the head": Fault(drip(JSON, 0.01), TimedOut, QUICK),
    "slow drip of the body": Fault(endless(chunk(b"x")), TimedOut, QUICK),
    "400": Fault(error(400), 400),
    "429": Fault(error(429), 429),
    "429 and when to come back": Fault(error(429, retry_after="1"), 429),
    "500": Fault(error(500), 500),
    "503": Fault(error(503), 503),
    "a page instead": Fault(wrong_type(), 200),
    "a page of a gateway": Fault(wrong_type(status=502), 502),
    "a bad chunk": Fault(bad_chunk, BrokenReply),
    "half an event": Fault(half_event, 200),
    "data that is no JSON": Fault(not_json, 200),
    "no [DONE]": Fault(no_done, 200),
    "a line of 10 MB": Fault(long_line, 200),
    "gzip": Fault(zipped(), 200),
    "no HTTP": Fault(no_http, BrokenReply),
    "too many headers": Fault(too_many_headers, BrokenReply),
    "a long header": Fault(long_header, BrokenReply),
    "a head without end": Fault(endless(b"x-a: b\r\n", head(200)[:-2]), BrokenReply),
    "a header without end": Fault(endless(b"y" * 999, b"HTTP/1.1 200 OK\r\nx: "), BrokenReply),
    "announcements without end": Fault(endless(head(100), b""), BrokenReply),
    "trailers without end": Fault(endless(b"x: y\r\n", SSE_HEAD + b"0\r\n"), BrokenReply),
    "a chunk's name without end": Fault(endless(b"z" * 999, SSE_HEAD + b"5;"), BrokenReply),
    "a body without end": Fault(endless(chunk(b"q" * 65536)), BrokenReply),
    "two lengths": Fault(
        raw(head(200, [("content-length", "5"), ("content-length", "6")]) + b"hello!"), BrokenReply
    ),
    "a length below zero": Fault(raw(head(200, [("content-length", "-1")])), BrokenReply),
    "a length and chunks": Fault(
        raw(head(200, [("content-length", "5"), CHUNKED]) + chunk(b"x") + chunk(b"")), BrokenReply
    ),
    "another protocol": Fault(
        raw(head(101, [("upgrade", "websocket"), ("connection", "upgrade")])), BrokenReply
    ),
    "bytes after the end": Fault(surplus, 200),
}

GOOD = Fault(raw(JSON), 200)


async def ask(pool: Pool, to: Address, fault: Fault, stream: bool) -> int:
    """Ask as the gateway does, for JSON or for a stream; the reply's status."""
    reply = await pool.send(to, b"POST", b"/v1/chat/completions", [], b"{}", fault.timeouts)
    if not stream:
        await reply.read(LIMIT)
        return reply.status
    taken = 0
    async for piece in reply:
        taken += len(piece)
        if taken > LIMIT:
            reply.close()
    return reply.status


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "SSE"])
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_is_a_named_error_in_time_and_leaves_nothing_open(name: str, stream: bool) -> None:
    fault = FAULTS[name]

    async def work(up: Upstream) -> None:
        to = Address("127.0.0.1", up.port)
        async with asyncio.timeout(15), Pool() as pool:
            up.behave(raw(JSON))
            assert await ask(pool, to, GOOD, stream) == 200
            before = open_files()
            up.behave(fault.behaviour)
            if isinstance(fault.outcome, int):
                assert await ask(pool, to, fault, stream) == fault.outcome
            else:
                with pytest.raises(fault.outcome, match=r"127\.0\.0\.1"):
                    await ask(pool, to, fault, stream)
            up.behave(raw(JSON))
            assert await ask(pool, to, GOOD, stream) == 200  # the next is answered
            assert await asyncio.to_thread(up.wait_until, lambda: up.connections_open == 1)
            assert (pool.open, open_files()) == (1, before)
        assert pool.open == 0

    with Upstream() as up:
        uvloop.run(work(up))
        assert up.wait_until(lambda: up.connections_open == 0)
        assert up.failures == []


async def crowd(pool: Pool, to: Address) -> AsyncIterator[object]:
    faults = [FAULTS[name] for name in sorted(FAULTS)] * 2
    asked = [ask(pool, to, fault, stream=bool(n % 2)) for n, fault in enumerate(faults)]
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        yield outcome


@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_all_faults_at_once_end_each_in_a_reply_or_a_named_error(
    make: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def work(up: Upstream) -> None:
        async with asyncio.timeout(20), Pool() as pool:
            async for outcome in crowd(pool, Address("127.0.0.1", up.port)):
                assert isinstance(outcome, int | EngineError), outcome
        assert pool.open == 0
        assert len(asyncio.all_tasks()) == 1

    with Upstream() as up, asyncio.Runner(loop_factory=make) as runner:
        up.script = [FAULTS[name].behaviour for name in sorted(FAULTS)] * 2
        runner.run(work(up))
        assert up.wait_until(lambda: up.connections_open == 0)


def test_a_name_that_nobody_knows_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def work() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        pool = Pool()
        with pytest.raises(Unreachable, match=r"nowhere\.invalid.*not known"):
            await ask(pool, Address("nowhere.invalid", 80), FAULTS["400"], stream=False)
        assert pool.open == 0

    asyncio.run(work())


def test_a_server_that_comes_back_is_asked_again() -> None:
    async def work(up: Upstream) -> None:
        to = Address("127.0.0.1", up.port)
        async with Pool() as pool:
            assert await ask(pool, to, GOOD, stream=False) == 200
            await asyncio.to_thread(up.go_away)
            with pytest.raises(Unreachable):
                await ask(pool, to, GOOD, stream=False)
            await asyncio.to_thread(up.come_back)
            assert await ask(pool, to, GOOD, stream=False) == 200

    with Upstream() as up:
        up.behave(raw(JSON))
        uvloop.run(work(up))
