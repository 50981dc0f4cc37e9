"""The queue of drawn calls: whoever stops half-way has judged a random part of it.

A call is drawn where its lot is below its rate. Those that are waiting are served by their
lot over their rate, the smallest first. That number is uniform in [0, 1) for every drawn
call, whatever its rate, so the first calls of the queue are those that would have been
drawn at so much lower rates: a person who judges a tenth of the queue has judged what a
tenth of the rates would have drawn, and the weights of the audits stay right.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from feilun.records import Audit, Call, Ended, Skip
from feilun.tasks import lot
from feilun.watch.audits import drawn

# Of the calls that the teacher has audited, people are shown this share as well: else nobody
# would know how often the teacher is wrong where it judges alone.
SHOWN = 0.1


def place(call: Call) -> float:
    """The place of a drawn call in its task's queue: smaller comes first."""
    return lot(b"feilun.audit", call.id) / call.audit_rate


def shown(call: str) -> bool:
    """Whether people are shown this call although the teacher has audited it."""
    return lot(b"feilun.shown", call) < SHOWN


def in_turn(waiting: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """The queues of several tasks as one: any first part of it has its share of each task."""
    placed = []
    for name in sorted(waiting):
        queue = list(waiting[name])
        placed += [((n + 0.5) / len(queue), name, call) for n, call in enumerate(queue)]
    return (call for _, _, call in sorted(placed))


class Drawn:
    """The drawn calls of a task, what has become of them, and the queues of who may judge.

    Feed it calls, audits and skips in the order of the log. It holds one small entry for
    each call that waits, and the two audits of each that was judged twice.
    """

    def __init__(self) -> None:
        self.drawn = 0
        self.by_person = 0
        self.by_teacher = 0
        self.skipped = 0  # calls that a person could not tell and nobody has judged since
        self.pairs: list[tuple[Audit, Audit]] = []
        self._waiting: dict[str, _Waiting] = {}
        self._skips = 0

    def call(self, call: Call) -> None:
        """Take a call of the task. One that was cut off has no answer to judge."""
        if call.ended is Ended.COMPLETE and drawn(call):
            self.drawn += 1
            readable = call.by == "teacher" or call.kept == "whole"
            self._waiting[call.id] = _Waiting(place(call), readable)

    def audit(self, audit: Audit) -> None:
        """Take an audit. A person's is the last word, so the call waits no more."""
        found = self._waiting.get(audit.call)
        if found is None:
            return
        if audit.by == "teacher":
            self.by_teacher += found.teacher is None
            found.teacher = audit
            return
        self.by_person += 1
        self.skipped -= found.skip is not None
        if found.teacher is not None:
            self.pairs.append((found.teacher, audit))
        del self._waiting[audit.call]

    def skip(self, skip: Skip) -> None:
        """Take a skip: the call goes to the end of the queue."""
        found = self._waiting.get(skip.call)
        if found is not None:
            self._skips += 1
            self.skipped += found.skip is None
            found.skip = self._skips

    def for_people(self) -> list[str]:
        """The ids of calls that wait for a person, the next one first."""
        waiting = self._waiting.items()
        open_ = (row for row in waiting if row[1].teacher is None or shown(row[0]))
        return [id for id, _ in sorted(open_, key=lambda row: (row[1].skip or 0, row[1].place))]

    def for_teacher(self) -> list[str]:
        """The ids of calls that nobody has judged and that the teacher can, the next one first.

        Of a hashed or redacted input a model knows too little.
        """
        waiting = self._waiting.items()
        open_ = (row for row in waiting if row[1].teacher is None and row[1].readable)
        return [id for id, _ in sorted(open_, key=lambda row: row[1].place)]


@dataclass(slots=True)
class _Waiting:
    """A drawn call that no person has judged."""

    place: float
    readable: bool
    teacher: Audit | None = None
    skip: int | None = None  # the number of the last skip
