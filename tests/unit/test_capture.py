"""Capture: groups on the disk before last bytes leave, and what happens when they cannot be."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from feilun.errors import Conflict, StoreError
from feilun.gateway.capture import Capture
from feilun.gateway.config import CaptureConfig
from feilun.records import Call, Record

AT = datetime(2026, 11, 24, tzinfo=UTC)


def call(id: str) -> Call:
    return Call(id=id, task="raw", at=AT, input=1, output=2, variant="m", by="teacher")


class Disk:
    """Keeps records, unless it is told to fail; `hold` lets nothing through until it is freed."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.groups: list[int] = []
        self.error: Exception | None = None
        self.refused: set[str] = set()
        self.free = threading.Event()
        self.entered = threading.Event()
        self.free.set()

    def keep(self, *records: Record) -> None:
        self.entered.set()
        assert self.free.wait(10)
        if self.error:
            raise self.error
        if taken := [r.id for r in records if r.id in self.refused]:
            raise Conflict(f"{taken} taken")
        self.kept += [record.id for record in records]
        self.groups.append(len(records))


def run(
    body: Callable[[Capture, Disk], Awaitable[None]], disk: Disk | None = None, **config: object
) -> Disk:
    disk = disk or Disk()

    async def main() -> None:
        capture = Capture(disk.keep, CaptureConfig(**config))  # type: ignore[arg-type]
        try:
            await body(capture, disk)
        finally:
            await asyncio.to_thread(capture.close)
            await asyncio.sleep(0)

    asyncio.run(main())
    return disk


def test_a_durable_call_is_kept_when_its_future_is_done() -> None:
    async def body(capture: Capture, disk: Disk) -> None:
        done = capture.add("durable", lambda: [call("a")], 10)
        assert done is not None
        await done
        assert disk.kept == ["a"]
        assert capture.counts.kept == 1

    run(body)


def test_calls_that_wait_at_one_moment_share_a_group() -> None:
    async def body(capture: Capture, disk: Disk) -> None:
        disk.free.clear()
        first = capture.add("durable", lambda: [call("first")], 10)
        ids = [f"c{n}" for n in range(20)]
        waiting = [capture.add("durable", lambda id=id: [call(id)], 10) for id in ids]  # type: ignore[misc]
        disk.free.set()
        await asyncio.gather(*(each for each in (first, *waiting) if each))
        assert sorted(disk.kept) == sorted(["first", *ids])
        assert len(disk.groups) <= 3

    run(body)


def test_calls_that_nobody_waits_for_wait_for_each_other_until_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("feilun.gateway.capture._LINGER_SECONDS", 60)

    async def body(capture: Capture, disk: Disk) -> None:
        for number in range(20):
            capture.add("async", lambda number=number: [call(str(number))], 10)  # type: ignore[misc]
            await asyncio.to_thread(bool)  # the thread of the capture has its turn
        assert disk.groups == []

    assert run(body).groups == [20]


def test_an_async_call_is_at_risk_until_it_is_kept() -> None:
    async def body(capture: Capture, disk: Disk) -> None:
        disk.free.clear()
        assert capture.add("async", lambda: [call("a")], 10) is None
        assert capture.counts.at_risk == 1
        disk.free.set()
        await asyncio.to_thread(capture.close)
        await asyncio.sleep(0)
        assert (capture.counts.at_risk, capture.counts.kept, disk.kept) == (0, 1, ["a"])

    run(body)


def test_off_keeps_nothing() -> None:
    async def body(capture: Capture, disk: Disk) -> None:  # noqa: ARG001
        assert capture.add("off", lambda: [call("a")], 10) is None

    assert run(body).kept == []


def test_a_call_whose_id_is_taken_fails_alone() -> None:
    async def body(capture: Capture, disk: Disk) -> None:
        disk.refused = {"b"}
        disk.free.clear()
        waiting = [capture.add("durable", lambda id=id: [call(id)], 10) for id in "abc"]  # type: ignore[misc]
        disk.free.set()
        said = await asyncio.gather(*(w for w in waiting if w), return_exceptions=True)
        assert [type(each) for each in said] == [type(None), Conflict, type(None)]
        assert sorted(disk.kept) == ["a", "c"]
        assert capture.counts.lost == 1
        assert capture.away is None

    run(body)


def test_where_the_store_is_away_refuse_refuses_this_call_and_the_next() -> None:
    async def body(capture: Capture, disk: Disk) -> None:
        disk.error = StoreError("the disk is full")
        done = capture.add("durable", lambda: [call("a")], 10)
        assert done is not None
        with pytest.raises(StoreError, match="full"):
            await done
        with pytest.raises(StoreError, match="full"):
            capture.admit("durable")
        capture.admit("async")  # counted instead
        assert capture.counts.lost == 0  # nobody was answered

    assert run(body).kept == []


def test_where_the_store_is_away_answer_answers_and_keeps_it_later() -> None:
    async def body(capture: Capture, disk: Disk) -> None:
        disk.error = StoreError("the disk is full")
        done = capture.add("durable", lambda: [call("a")], 10)
        assert done is not None
        await done
        capture.admit("durable")
        assert (capture.counts.at_risk, capture.away is not None) == (1, True)
        disk.error = None
        again = capture.add("durable", lambda: [call("b")], 10)
        assert again is not None
        await again
        assert disk.kept == ["a", "b"]
        assert (capture.counts.at_risk, capture.counts.kept, capture.away) == (0, 2, None)

    run(body, when_away="answer")


def test_what_is_still_away_when_the_gateway_stops_is_counted_as_lost() -> None:
    async def body(capture: Capture, disk: Disk) -> None:
        disk.error = StoreError("gone")
        done = capture.add("durable", lambda: [call("a")], 10)
        assert done is not None
        await done
        await asyncio.to_thread(capture.close)
        await asyncio.sleep(0)
        assert (capture.counts.lost, capture.counts.at_risk) == (1, 0)

    run(body, when_away="answer")


def test_a_full_queue_refuses_durable_calls_and_counts_the_others() -> None:
    async def body(capture: Capture, disk: Disk) -> None:
        disk.free.clear()
        capture.add("async", lambda: [call("taken")], 10)
        assert await asyncio.to_thread(disk.entered.wait, 10)
        capture.add("async", lambda: [call("big")], (1 << 20) + 1)
        with pytest.raises(StoreError, match="queue"):
            capture.admit("durable")
        capture.add("async", lambda: [call("lost")], 10)
        assert capture.counts.lost == 1
        disk.free.set()

    assert "lost" not in run(body, queue_bytes=1 << 20).kept


def test_a_call_that_cannot_be_told_is_its_own_trouble() -> None:
    async def body(capture: Capture, disk: Disk) -> None:
        bad = capture.add("durable", lambda: [call("x"), 1 // 0][:1], 10)  # type: ignore[list-item]
        good = capture.add("durable", lambda: [call("good")], 10)
        assert bad is not None
        assert good is not None
        with pytest.raises(StoreError, match="ZeroDivisionError"):
            await bad
        await good
        assert disk.kept == ["good"]

    run(body)
