"""Thousands of streams that wait, in one gateway: none is lost, and each costs little memory."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import uvloop
from gateway_server import Running, end, running
from raw_clients import Crowd, Wire, allow_files, open_files, resident_kilobytes

from feilun.records import Call, Ended
from feilun.store import open_store
from feilun.testing import upstream as up
from feilun.testing.upstream import Exchange

_TOML = """
[engines.mock]
concurrency = 10000
timeouts = {idle = 600.0}
"""
_MOST_KILOBYTES = 32  # a stream; 15 to 16 on 24 November 2026
_BEGIN = up.event({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]})
_END = up.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + up.DONE
_TO_THE_END = "mock-large"  # who asks this model lets all streams end


class _Patient:
    """A model that begins each stream, and ends all of them when it is told to."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.request.json["model"] == _TO_THE_END:
            self._told.set()
        if not exchange.request.json.get("stream"):
            await up.model_server(exchange)
            return
        await exchange.send(up.SSE_HEAD + up.chunk(_BEGIN))
        await self._told.wait()
        await exchange.send(up.chunk(_END) + up.chunk(b""))


@pytest.mark.parametrize(("streams", "busy"), [(9500, 0), (2000, 8)], ids=["9500", "2000 and busy"])
def test_idle_streams_all_end_well_and_are_all_kept(
    tmp_path: Path, streams: int, busy: int
) -> None:
    """`busy` clients ask for JSON all the while."""
    allow_files(2 * streams)
    with running(tmp_path, _TOML) as server:
        server.upstream.behave(_Patient())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            kilobytes, asked = runner.run(_hold_and_end(server, streams, busy))
        end(server.process, server.log)
        with closing(open_store(server.store)) as store:
            kept = Counter(
                bool(c.input["stream"]) for c in store.read(Call) if c.ended is Ended.COMPLETE
            )
    print(f"{streams} idle streams: {kilobytes:.1f} kB each, 0 lost, {asked} calls beside them")
    assert kept == {True: streams, False: asked}
    assert kilobytes < _MOST_KILOBYTES


async def _hold_and_end(server: Running, streams: int, busy: int) -> tuple[float, int]:
    """Kilobytes a stream while all of them wait, and how many other calls were answered."""
    async with Crowd(server) as crowd:
        asked = await _ask(crowd, until=lambda: True)  # what the first call loads is no stream's
        await crowd.leave()
        files, memory = open_files(server), resident_kilobytes(server)
        ended = asyncio.Event()
        others = [asyncio.create_task(_ask(crowd, until=ended.is_set)) for _ in range(busy)]
        waiting = await asyncio.gather(*(_begin(crowd) for _ in range(streams)))
        kilobytes = (resident_kilobytes(server) - memory) / streams
        asked += await _ask(crowd, until=lambda: True, model=_TO_THE_END)
        await asyncio.gather(*(wire.hear(b"data: [DONE]\n\n") for wire in waiting))
        ended.set()
        asked += sum(await asyncio.gather(*others))
        await crowd.leave()
        while open_files(server) > files:  # it hears of their leaving in the next turns
            asked += await _ask(crowd, until=lambda: True)
            await crowd.leave()
    return kilobytes, asked


async def _begin(crowd: Crowd) -> Wire:
    wire = await crowd.connect()
    wire.say(crowd.request(stream=True))
    await wire.hear(b"Hi")
    return wire


async def _ask(crowd: Crowd, until: Callable[[], bool], model: str = "mock-small") -> int:
    """Ask for JSON, once at least, until something holds; how often it was answered."""
    wire, asked = await crowd.connect(), 0
    while True:
        wire.say(crowd.request(model=model, stream=False))
        said = await wire.hear(b'"usage"')
        assert said.startswith(b"HTTP/1.1 200 "), said
        asked += 1
        if until():
            return asked
