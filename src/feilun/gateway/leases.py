"""Leases: two people who judge at the same time are not given the same call."""

from collections.abc import Iterable
from itertools import islice

# As long as a person may take over a page of calls. Who takes longer may meet another.
_SECONDS = 600.0
_MOST = 10_000


class Leases:
    """Who has been given which call, in this process, and until when."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, float]] = {}

    def take(self, calls: Iterable[str], person: str, limit: int, now: float) -> list[str]:
        """The first calls that nobody else holds; `person` holds them from now on."""
        self._held = {call: held for call, held in self._held.items() if held[1] > now}
        free = (call for call in calls if self._held.get(call, (person, now))[0] == person)
        found = list(islice(free, limit))
        room = _MOST - len(self._held)
        self._held |= dict.fromkeys(found[: max(room, 0)], (person, now + _SECONDS))
        return found

    def give_back(self, call: str) -> None:
        """It was judged, or nobody could."""
        self._held.pop(call, None)
