"""Thousands of streams that are open and say nothing: what each costs, and whether any is lost."""

import asyncio
import resource
from typing import NamedTuple

import uvloop
from server import LOAD_CORE, CannotRun, on_core
from target import DONE, Target
from upstream import Upstream

BATCH = 100  # connections that are made at once
PATIENCE = 120.0  # seconds, for all of them to open, and for all to end


class Idle(NamedTuple):
    """Streams held at once by one process."""

    streams: int
    lost: int  # not ended with [DONE]
    kb_each: float  # resident memory of the proxy over what it had before


def hold(target: Target, upstream: Upstream, streams: int) -> Idle:
    """Open the streams, let each have its first event, weigh the proxy, let all run out."""
    assert target.server
    raise_limit(2 * streams + 500)
    with on_core(LOAD_CORE):
        return uvloop.run(_hold(target, upstream, streams))


def raise_limit(files: int) -> None:
    """Let this process, and what it starts, open this many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        raise CannotRun(f"{files} open files are needed; the limit is {hard} (ulimit -Hn).")
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


async def _hold(target: Target, upstream: Upstream, streams: int) -> Idle:
    assert target.server
    loop = asyncio.get_running_loop()
    before = target.server.rss_mb()
    wire = target.wire(target.chat(stream=True, hold=True))
    lines: list[_Stream] = []
    for _ in range(0, streams, BATCH):
        made = [
            loop.create_connection(lambda: _Stream(wire), "127.0.0.1", target.port)
            for _ in range(min(BATCH, streams - len(lines)))
        ]
        opened = [protocol for _, protocol in await asyncio.gather(*made)]
        await asyncio.wait([line.begun for line in opened], timeout=PATIENCE)
        lines += opened
    held = target.server.rss_mb()
    await asyncio.to_thread(upstream.release)
    await asyncio.wait([line.ended for line in lines], timeout=PATIENCE)
    lost = sum(not line.whole for line in lines)
    for line in lines:
        line.transport.close()
    return Idle(streams, lost, 1e3 * (held - before) / streams)


class _Stream(asyncio.Protocol):
    """One stream: whether its first event came, and whether its last did."""

    transport: asyncio.Transport

    def __init__(self, wire: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.wire = wire
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.whole = False
        self.tail = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.write(self.wire)

    def data_received(self, data: bytes) -> None:
        if b"data:" in data and not self.begun.done():
            self.begun.set_result(None)
        self.tail = (self.tail + data)[-64:]
        if DONE in self.tail and not self.whole:
            self.whole = True
            self.ended.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        for future in (self.begun, self.ended):
            if not future.done():
                future.set_result(None)
