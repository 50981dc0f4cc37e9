"""Finding the calls of a posting again: calls wait in lanes, in log order, for their posting.

A posting of one call names it. One of several names their number and a hash of their ids,
and they lie together among the calls of the same task, model and day.
"""

from collections.abc import Iterable
from datetime import date
from itertools import islice

from feilun.ledger.post import cause_of
from feilun.ledger.took import asked_students, took
from feilun.records import RAW, Call, Posting, content_id

# Calls that are held while their posting is looked for. A gateway's group has some hundreds,
# and a replay keeps a day at once. One that waits longer was never posted.
MOST_WAITING = 20_000

_Key = tuple[str, str, date, bool]


class Lane:
    """Calls that took something of one sort: a model's answers, or the seconds of students."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, dict[str, Call]] = {}
        self._key_of: dict[str, _Key] = {}
        self._given_up: list[str] = []

    def add(self, key: _Key, call: Call) -> None:
        """Take a call that waits for its posting."""
        self._waiting.setdefault(key, {})[call.id] = call
        self._key_of[call.id] = key
        if len(self._key_of) > MOST_WAITING:
            self._given_up.append(next(iter(self._key_of)))
            self.one(self._given_up[-1])

    def one(self, id: str) -> Call | None:
        """The call with this id, if it waits here. It waits no more."""
        key = self._key_of.pop(id, None)
        return None if key is None else self._waiting[key].pop(id)

    def several(self, key: _Key, count: int, cause: str, *, newest: bool) -> list[Call] | None:
        """So many calls that lie together under a cause; with `newest`, the last ones alone."""
        waiting = self._waiting.get(key, {})
        last = len(waiting) - count
        for start in range(max(last, 0) if newest else 0, last + 1):
            found = sorted(islice(waiting.values(), start, start + count), key=lambda c: c.id)
            if cause_of(found) == cause:
                return [call for call in found if self.one(call.id)]
        return None

    def rest(self) -> list[str]:
        """The ids of those whose posting did not come."""
        return [*self._given_up, *self._key_of]


class Lanes:
    """Reads the calls of a log as far as their postings are asked for. `of` in log order."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self._calls = iter(calls)
        self._teachers, self._students = Lane(), Lane()

    def of(self, row: Posting) -> list[Call] | None:
        """The calls that caused a posting, sorted by id; None where the log has no such calls."""
        students = row.debit == "expense:student"
        lane = self._students if students else self._teachers
        kind, _, rest = row.cause.partition(":")
        if kind == "call":
            return self._one(lane, rest)
        size = rest.partition(":")[0]
        count = int(size) if size.isdecimal() and len(size) < 10 else 0
        return self._several(lane, _key_of(row, students=students), count, row.cause)

    def unposted(self) -> list[str]:
        """After the last posting: the calls that took something which no posting says."""
        while self._read_on():
            pass
        return sorted({*self._teachers.rest(), *self._students.rest()})

    def _one(self, lane: Lane, id: str) -> list[Call] | None:
        while (found := lane.one(id)) is None:
            if not self._read_on():
                return None
        return [found]

    def _several(self, lane: Lane, key: _Key, count: int, cause: str) -> list[Call] | None:
        newest = False
        while (found := lane.several(key, count, cause, newest=newest)) is None:
            newest = True
            if not self._read_on():
                return None
        return found

    def _read_on(self) -> bool:
        call = next(self._calls, None)
        if call is None:
            return False
        held = call.model_copy(update={"input": None, "output": None})  # they may be large
        if call.by == "teacher" and not is_copy(call):
            key = (call.task, call.variant, call.at.date(), took([call]).counted)
            self._teachers.add(key, held)
        if asked_students(call):
            self._students.add((call.task, "", call.at.date(), False), held)
        return True


def _key_of(row: Posting, *, students: bool) -> _Key:
    """What the calls have in common that are posted together in this row."""
    if students:
        return (row.task, "", row.at.date(), False)
    model = row.debit.removeprefix("expense:model:")
    return (RAW, model, row.at.date(), row.unit != "second")  # unpriced: the item is the unit


def is_copy(call: Call) -> bool:
    """Whether an adoption made it of a raw call, which was posted: the id follows from that."""
    return call.parent is not None and call.id == content_id([call.task, call.parent])
