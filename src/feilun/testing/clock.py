"""FakeClock: a clock that moves when a test says so."""

import threading
from datetime import UTC, datetime, timedelta

from feilun.clock import CHANCE_BITS, milliseconds, ulid
from feilun.records import digest

_START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Stands still until `advance`. The same seed and the same moves give the same ids.

    Ids of one clock sort by the order of their making; clocks with other seeds make
    other ids. Safe to call from any thread.
    """

    def __init__(self, start: datetime = _START, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._now = start.astimezone(UTC)
        self._chance = int(digest(str(seed).encode()), 16) % 2**CHANCE_BITS

    def now(self) -> datetime:
        """The time that the test has set, in UTC."""
        return self._now

    def new_id(self) -> str:
        """The next id of this seed, at the present moment."""
        with self._lock:
            self._chance += 1
            return ulid(milliseconds(self._now), self._chance)

    def advance(self, by: timedelta) -> None:
        """Move the clock on. Raises ValueError for a step back: time has no such step."""
        if by < timedelta():
            raise ValueError(f"a clock cannot be advanced by {by}: the step must not be negative")
        with self._lock:
            self._now += by
