"""The contract of the `Clock` port, as tests that every clock passes.

Subclass `ClockContract`, give the fixture `clock`, and pytest runs the rest.
"""
# ruff: noqa: S101 - these are tests, and tests assert

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import pytest

from feilun.ports import Clock


class ClockContract:
    """What every clock promises. See `feilun.ports.Clock` for the words."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock to test."""
        raise NotImplementedError("give the suite a clock to test")

    def test_the_time_is_in_utc(self, clock: Clock) -> None:
        """With its zone."""
        assert clock.now().tzinfo is UTC

    def test_the_time_does_not_run_backwards(self, clock: Clock) -> None:
        """Between two looks at it."""
        assert clock.now() <= clock.now()

    def test_ids_sort_by_the_order_in_which_they_were_made(self, clock: Clock) -> None:
        """And none is made twice."""
        ids = [clock.new_id() for _ in range(5000)]
        assert ids == sorted(set(ids))

    def test_ids_are_26_characters_that_nobody_misreads(self, clock: Clock) -> None:
        """Crockford's base 32."""
        assert len(clock.new_id()) == 26
        assert set(clock.new_id()) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

    def test_ids_of_many_threads_are_all_different(self, clock: Clock) -> None:
        """Whoever asks."""
        with ThreadPoolExecutor(8) as threads:
            ids = list(threads.map(lambda _: clock.new_id(), range(4000)))
        assert len(set(ids)) == 4000
