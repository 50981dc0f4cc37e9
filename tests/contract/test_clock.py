"""Both clocks keep one contract: time in UTC, and ids that sort by their making."""

import os
from datetime import UTC, datetime, timedelta, timezone

import pytest

from feilun.clock import SystemClock, milliseconds, ulid
from feilun.ports import Clock
from feilun.testing import FakeClock
from feilun.testing.contracts_clock import ClockContract


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


class TestFakeClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return FakeClock()


def test_the_system_clock_makes_ids_of_this_moment() -> None:
    clock = SystemClock()
    before, id, after = clock.now(), clock.new_id(), clock.now()
    assert ulid(milliseconds(before), 0) <= id <= ulid(milliseconds(after) + 1, 0)


def test_an_id_is_the_ulid_that_others_read() -> None:
    # The example of https://github.com/ulid/spec: 01ARYZ6S41 is 1469918176385 ms.
    assert ulid(1469918176385, 0) == "01ARYZ6S41" + "0" * 16
    assert ulid(2**48 - 1, 2**80 - 1) == "7" + "Z" * 25


def test_the_fake_clock_stands_still_until_it_is_advanced() -> None:
    start = datetime(2026, 5, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    clock = FakeClock(start)
    assert clock.now() == clock.now() == start
    clock.advance(timedelta(hours=1))
    assert clock.now() == start + timedelta(hours=1)


def test_the_fake_clock_makes_the_same_ids_from_the_same_seed() -> None:
    def ids(seed: int) -> list[str]:
        clock = FakeClock(seed=seed)
        first = clock.new_id()
        clock.advance(timedelta(seconds=1))
        return [first, clock.new_id()]

    assert ids(1) == ids(1) == sorted(ids(1))
    assert not set(ids(1)) & set(ids(2))


def test_the_fake_clock_refuses_a_step_back() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        FakeClock().advance(timedelta(seconds=-1))


class StillClock(SystemClock):
    """Its ids differ by chance alone."""

    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks on Windows")
def test_a_fork_does_not_make_the_ids_of_its_parent() -> None:
    StillClock().new_id()  # chance is drawn ahead, and a fork takes a copy of it along
    read, write = os.pipe()
    if not (child := os.fork()):
        os.write(write, StillClock().new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 26).decode()
    os.close(read)
    os.close(write)
    assert len(theirs) == 26
    assert theirs != StillClock().new_id()
