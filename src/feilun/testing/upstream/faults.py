"""Behaviours of a bad model server: what upstreams do to those who trust them."""

import asyncio
import gzip
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from feilun.testing.upstream.exchange import (
    DONE,
    SSE_HEAD,
    Behaviour,
    Exchange,
    chunk,
    event,
    head,
    pieces,
    raw,
    whole,
)

EVENT = event({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]})
JSON = b'{"id":"chatcmpl-mock","object":"chat.completion","choices":[]}'


@contextmanager
def refusing() -> Iterator[str]:
    """A URL on which every connection is refused. Its port is held, so nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


async def hang(exchange: Exchange) -> None:
    """Take the request and never answer."""
    await exchange.hang()


def hang_after(data: bytes) -> Behaviour:
    """Send these bytes, a part of a reply, and nothing more."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(data)
        await exchange.hang()

    return behave


def reset_after(data: bytes = b"") -> Behaviour:
    """Send these bytes and reset the connection."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(data)
        exchange.reset()

    return behave


def close_after(data: bytes = b"") -> Behaviour:
    """Send these bytes and close the connection in good order."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(data)
        exchange.close()

    return behave


def drip(data: bytes, seconds: float = 0.01, size: int = 1) -> Behaviour:
    """Send these bytes, a few at a time with a pause after each."""

    async def behave(exchange: Exchange) -> None:
        for start in range(0, len(data), size):
            await exchange.send(data[start : start + size])
            await asyncio.sleep(seconds)

    return behave


def endless(part: bytes, begin: bytes = SSE_HEAD) -> Behaviour:
    """Send the same part for ever, as fast as it is read."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(begin)
        while True:
            await exchange.send(part)
            await asyncio.sleep(0)

    return behave


def reset_at(data: bytes, byte: int) -> Behaviour:
    """Reset the connection after so many bytes of what should have been sent."""
    return reset_after(data[:byte])


def zipped(body: bytes = JSON) -> Behaviour:
    """Answer with a gzipped body that nobody asked for."""
    return raw(whole(gzip.compress(body), extra=[("content-encoding", "gzip")]))


def wrong_type(body: bytes = b"<html>Bad gateway</html>", status: int = 200) -> Behaviour:
    """Answer with a page where JSON or events were asked for."""
    return raw(whole(body, status, "text/html"))


bad_chunk = close_after(SSE_HEAD + chunk(EVENT) + b"zz\r\nnot a size\r\n")
half_event = pieces(EVENT, EVENT[: len(EVENT) // 2])
not_json = pieces(EVENT, b"data: {not json\n\n", DONE)
no_done = pieces(EVENT, EVENT)
long_line = pieces(b"data: " + b"x" * (10 << 20) + b"\n\n", DONE)
no_http = close_after(b"220 mail.example ESMTP ready\r\n")
cut_json = close_after(whole(JSON)[:-10])
cut_stream = close_after(SSE_HEAD + chunk(EVENT))
too_many_headers = raw(head(200, [(f"x-{i}", "y") for i in range(101)]))
long_header = raw(head(200, [("x-long", "y" * (1 << 17))]))
surplus = raw(whole(JSON) + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
