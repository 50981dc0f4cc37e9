"""The system's clock: the one place where real times and ids are made.

An id is a ULID: 26 characters of Crockford's base 32, 48 bits of milliseconds
and then 80 bits of chance, so that ids sort as text by the time of their making.
"""

import os
import secrets
import threading
from datetime import UTC, datetime, timedelta

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# One bit short of the 80 that there are: counting up from here cannot overflow.
CHANCE_BITS = 79

# Chance is drawn ahead: asking the system for it lets other threads run, and an event loop
# that did so for each millisecond's first id waited 0.25 ms each time to go on.
_AHEAD = 128
_MOST = (1 << CHANCE_BITS) - 1
_drawn: list[int] = []
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_drawn.clear)


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970, exact where `timestamp()` is a rounded float."""
    return (at - _EPOCH) // _MILLISECOND


def ulid(millisecond: int, chance: int) -> str:
    """The 26 characters of a moment and 80 bits of chance. Sorts as (moment, chance)."""
    value = millisecond << 80 | chance
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])


def _draw() -> int:
    while True:
        try:
            return _drawn.pop()
        except IndexError:
            chance = secrets.randbits(CHANCE_BITS * _AHEAD)
            _drawn.extend(chance >> CHANCE_BITS * n & _MOST for n in range(_AHEAD))


class SystemClock:
    """Real time in UTC, and ids that sort by the order in which they were made.

    Within one millisecond, and while the system's time stands still or is set
    back, an id is the one before it plus one. Safe to call from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment = 0
        self._chance = 0

    def now(self) -> datetime:
        """The time now, in UTC."""
        return datetime.now(UTC)

    def new_id(self) -> str:
        """A new id, greater than every id that this clock made before."""
        moment = milliseconds(self.now())
        with self._lock:
            if moment > self._moment:
                self._moment, self._chance = moment, _draw()
            else:
                self._chance += 1
            return ulid(self._moment, self._chance)
