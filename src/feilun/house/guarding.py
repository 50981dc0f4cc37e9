"""The house's guard: it reads what is new in the log, and calls a student back that is over
its line.

What it knows is a function of the log, made again after a start. It reads as far as a head
of the log, remembers that row, and goes on from there at the next look.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from feilun import datasets, ledger, release, watch
from feilun.errors import Conflict, StoreError, TrainerError
from feilun.house.log import Log
from feilun.ports import Progress
from feilun.records import (
    Alarm,
    Audit,
    Call,
    Certificate,
    Dataset,
    Drift,
    Release,
    Task,
    WhyAlarm,
)

_STRIDE = 5_000  # rows of the log between two moments at which a look can be ended
_APART = timedelta(days=1)  # more than the clocks of two machines are ever apart


@dataclass(slots=True)
class Watched:
    """A released student at work, what is known of it, and up to which row of the log."""

    guard: watch.Guard
    drifting: watch.Drifting
    need: watch.Need
    seen: int
    found: watch.Found | None = None


@dataclass(frozen=True)
class Standing:
    """How one limit of a released student stands: `evidence` alarms when it reaches `needed`."""

    why: WhyAlarm
    evidence: float
    needed: float
    seen: int
    mean: float | None
    line: float


@dataclass
class _Place:
    """How far the guard has read of what moves pointers and lines, and whom it watches."""

    seen: int = 0
    watched: dict[str, Watched] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)  # to be read anew: a look at them was cut off


class Guarding:
    """Looks at what was served. May be called from any thread; one looks at a time.

    `point` hears of a move before it is in the log: from then on no call begins with the
    student that is called back, so none does once the alarm is durable. `changed` hears of
    the task after it: whoever read the old pointer meanwhile reads the new one.
    """

    def __init__(
        self, log: Log, point: Callable[[Release], None], changed: Callable[[str], None]
    ) -> None:
        self._log = log
        self._point = point
        self._changed = changed
        self._place = _Place()
        self._looking = threading.Lock()

    def look(self, name: str | None = None, progress: Progress | None = None) -> list[Alarm]:
        """Read what is new, of one task or of all, and raise the alarms that it gives.

        Returns those that this look has raised. The pointer is back at the teacher then. What
        `progress` raises ends the look; the next one goes on from there.
        """
        with self._looking:
            head = self._log.store.head().seq
            self._follow(head)
            names = [name] if name else list(self._place.watched)
            alarms = [self._advance(each, head, progress) for each in names]
        return [alarm for alarm in alarms if alarm]

    def standing(self, name: str) -> list[Standing]:
        """How the student at work stands, as of the last look. Empty while the teacher answers."""
        with self._looking:
            watched = self._place.watched.get(name)
            if watched is None:
                return []
            guard = watched.guard
            return [
                Standing(
                    why, each.evidence, each.limit, each.seen, guard.mean(why), guard.line(why)
                )
                for why, each in guard.processes.items()
            ]

    def drifting(self, name: str) -> dict[str, float]:
        """The evidence that traffic has changed since the last drift, as of the last look."""
        with self._looking:
            watched = self._place.watched.get(name)
            return watched.drifting.evidence() if watched else {}

    def rates(self, per_day: float | None) -> dict[str, watch.Rate]:
        """How often to draw the calls of each task that a student serves, as of the last look.

        `per_day` is the budget: how many audits of all of them are to be made a day.
        """
        with self._looking:
            needs = {name: watched.need for name, watched in self._place.watched.items()}
            now = self._log.clock.now()
            allowed = None if per_day is None else watch.allowed_rate(per_day, needs, now)
            return {name: watch.rate(need, allowed) for name, need in needs.items()}

    def begin(self, task: Task, moved: Release) -> watch.Guard:
        """A guard of a release that has seen nothing yet."""
        students = [r.id for r in self._log.store.read(Release, task.task) if r.variant is not None]
        number = students.index(moved.id) + 1
        return watch.Guard(task, moved, number, lambda call: ledger.cost_of(call, self._log.book))

    def _follow(self, head: int) -> None:
        """Watch those whom the pointers point at now, by the lines that are declared now."""
        place, store = self._place, self._log.store
        if head == place.seen and not place.unread:
            return
        moved = {r.task for r in store.read(Release, after=place.seen, until=head)}
        told = {task.task for task in store.read(Task, after=place.seen, until=head)}
        for name in moved | told | place.unread:
            self._watch(name, place.seen if name in moved - place.unread else 0)
        place.seen = head
        place.unread.clear()

    def _watch(self, name: str, since: int) -> None:
        """Begin with the student at work; go on where neither it nor its line has changed."""
        pointer, old = self._log.pointer(name), self._place.watched.pop(name, None)
        if pointer is None or pointer.variant is None:
            return
        task = self._log.task(name)
        if old and old.guard.release == pointer and _same(old.guard.task, task):
            self._place.watched[name] = old
            return
        drifting = watch.Drifting(pointer, self._novelty(pointer))
        guard, need = self.begin(task, pointer), watch.Need(task, pointer)
        self._place.watched[name] = Watched(guard, drifting, need, since)

    def _advance(self, name: str, head: int, progress: Progress | None) -> Alarm | None:
        """Take what is new of a task, stride by stride."""
        watched = self._place.watched.get(name)
        while watched and watched.found is None and watched.seen < head:
            if progress:
                progress(watched.seen, head)
            try:
                self._read(name, watched, min(watched.seen + _STRIDE, head))
            except BaseException:  # half of it was counted: count all of it anew
                del self._place.watched[name]
                self._place.unread.add(name)
                raise
        return self._call_back(name, watched) if watched and watched.found else None

    def _read(self, name: str, watched: Watched, head: int) -> None:
        """Take the calls and audits up to a row. What drifted is told at once."""
        store, drifts = self._log.store, list[Drift]()
        for call in store.read(Call, name, after=watched.seen, until=head):
            watched.need.call(call)
            for drift in watched.drifting.call(call):
                watched.need.drift(drift)
                drifts.append(drift)
            watched.found = watched.guard.call(call)
            if watched.found:
                break
        for audit in store.read(Audit, name, after=watched.seen, until=head):
            if watched.found:
                break
            if audit.at > watched.guard.release.at - _APART:  # an older one is of another's call
                watched.found = watched.guard.audit(store.get(Call, audit.call), audit)
        watched.seen = head
        if drifts:
            store.append(*drifts)

    def _call_back(self, name: str, watched: Watched) -> Alarm | None:
        """Raise the alarm and move the pointer, in one durable step.

        Another process may have been quicker: its alarm is this one, and it stands.
        """
        pointer, found = self._log.pointer(name), watched.found
        if found is None or pointer is None or pointer.id != watched.guard.release.id:
            return None
        alarm = watched.guard.alarm(found, self._log.clock.now())
        moved = release.by_alarm(alarm, pointer, at=alarm.at)
        self._point(moved)
        try:
            self._log.store.append(alarm, moved)
        except Conflict:
            self._changed(name)
            return None
        self._changed(name)
        return alarm

    def _novelty(self, moved: Release) -> watch.Novelty | None:
        """What a release's student has learnt from; None where that cannot be read any more."""
        try:
            proof = self._log.store.get(Certificate, moved.certificate or "")
            dataset = self._log.store.get(Dataset, proof.dataset)
            train, _ = datasets.read_examples(dataset, self._log.store.fetch)
        except (StoreError, TrainerError):
            return None
        return watch.Novelty(example.input for example in train)


def _same(one: Task, other: Task) -> bool:
    """Whether two declarations are watched alike."""
    facts = {"red_line", "output_schema", "loss"}
    return one.model_dump(include=facts) == other.model_dump(include=facts)
