"""The house's audits: what is drawn, who judges it, and what that says of the answers."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from feilun import datasets, watch
from feilun.errors import StoreError, TaskError
from feilun.house.log import Log
from feilun.house.queues import Queues
from feilun.records import Audit, Call, Drift, Json, Money, Skip, Task
from feilun.tasks import loss


@dataclass(frozen=True)
class Overview:
    """How the audits of a task stand. `rate` is that of its latest call, and `why` says why.

    `waiting` is for people, `for_teacher` for `feilun audits run`. `skipped` are calls that
    a person could not tell. `disagreement` is how often people say otherwise than the
    teacher, on the `both` calls that both have judged.
    """

    task: str
    rate: float | None
    why: watch.Rate | None
    drawn: int
    by_person: int
    by_teacher: int
    both: int
    disagreement: watch.Risk | None
    waiting: int
    for_teacher: int
    skipped: int
    cost: Money | None

    def shape(self) -> dict[str, Json]:
        """The same as JSON."""
        why, found, cost = self.why, self.disagreement, self.cost
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "skip_share": self.skip_share,
            "why": why and {
                "release": why.release, "drift": why.drift, "allowed": why.allowed,
                "slices": {name: more for name, more in why.drawing.slices.items() if more > 1},
            },
            "disagreement": found and {"mean": found.mean, "low": found.low, "high": found.high},
            "cost": cost and cost.model_dump(mode="json"),
        }  # fmt: skip

    @property
    def skip_share(self) -> float | None:
        """Of the calls that people looked at, the share that they could not tell."""
        looked = self.skipped + self.by_person
        return self.skipped / looked if looked else None


_PLAIN = (
    "task", "rate", "drawn", "by_person", "by_teacher", "both", "waiting", "for_teacher", "skipped"
)  # fmt: skip


class Auditing:
    """Audits of the calls of a log, and the risk that they show.

    `look` holds what is new against the lines, and `rates` knows what the guard knows.
    """

    def __init__(
        self,
        log: Log,
        queues: Queues,
        look: Callable[[str], object],
        rates: Callable[[], dict[str, watch.Rate]],
    ) -> None:
        self._log = log
        self._queues = queues
        self._look = look
        self._rates = rates

    def to_audit(self, name: str | None = None) -> Iterator[Call]:
        """The drawn calls that wait for a person, tasks in turn.

        They come in the order of their lots, so whoever stops half-way has judged a random
        part. Calls that somebody could not tell come last.
        """
        return (self._log.store.get(Call, id) for id in self.queue(name))

    def queue(self, name: str | None = None) -> Iterator[str]:
        """The ids of the same calls."""
        waiting = {}
        for each in self._log.tasks() if name is None else [name]:
            with self._queues.of(each) as line:
                waiting[each] = line.drawn.for_people()
        return watch.in_turn(waiting)

    def audit(self, call: Call, output: Json) -> Audit:
        """A person judges a drawn call: `output` is the right one.

        Where this completes the evidence against a student, it is called back before this
        returns. Raises TaskError for a call that was not drawn: audits certify because chance
        alone picks them.
        """
        self._check(call)
        about = self._log.about(call)
        audit = watch.judged(call, output, "person", id=about["id"], at=about["at"])
        self._log.keep(audit)
        with suppress(StoreError):  # the audit is kept; the next look raises what this could not
            self._look(call.task)
        return audit

    def skip(self, call: Call, reason: str | None = None) -> Skip:
        """A person cannot tell what is right: the call goes to the end of the queue, unjudged.

        Raises TaskError for a call that was not drawn.
        """
        self._check(call)
        skip = watch.skipped(call, reason, **self._log.now())
        self._log.keep(skip)
        return skip

    def audited(self, name: str) -> list[tuple[Call, Audit]]:
        """Calls with the audit that counts, in log order."""
        audits: dict[str, list[Audit]] = {}
        for audit in self._log.store.read(Audit, name):
            audits.setdefault(audit.call, []).append(audit)
        calls = (call for call in self._log.store.read(Call, name) if call.id in audits)
        return [(call, datasets.deciding_audit(audits[call.id])) for call in calls]

    def risk(
        self, name: str, by: str | None = None, release: str | None = None
    ) -> watch.Risk | None:
        """What audits say of the loss of what was served: by whom, and under which release."""
        task = self._log.task(name)
        rows = [
            (call, audit)
            for call, audit in self.audited(name)
            if by in (None, call.by) and release in (None, call.release)
        ]
        return watch.risk(rows, lambda output, right: loss(task, output, right))

    def overview(self, name: str) -> Overview:
        """How the audits of a task stand. Raises NotFound."""
        task = self._log.task(name)
        why = self._rates().get(name) or self._rate(task)
        with self._queues.of(name) as line:
            drawn, cost = line.drawn, line.cost
            return Overview(
                task=name,
                rate=line.rate,
                why=why,
                drawn=drawn.drawn,
                by_person=drawn.by_person,
                by_teacher=drawn.by_teacher,
                both=len(drawn.pairs),
                disagreement=watch.disagreement(
                    drawn.pairs, lambda output, right: loss(task, output, right)
                ),
                waiting=len(drawn.for_people()),
                for_teacher=len(drawn.for_teacher()),
                skipped=drawn.skipped,
                cost=None if cost is None else Money(amount=cost, currency=self._log.book.currency),
            )

    def _rate(self, task: Task) -> watch.Rate | None:
        """How often calls are drawn, made anew where nobody has looked; None without a student."""
        pointer, store = self._log.pointer(task.task), self._log.store
        if pointer is None or pointer.variant is None:
            return None
        need = watch.Need(task, pointer)
        drifts = {drift.last: drift for drift in store.read(Drift, task.task)}
        for call in store.read(Call, task.task):
            need.call(call)
            if call.id in drifts:
                need.drift(drifts[call.id])
        return watch.rate(need)

    def _check(self, call: Call) -> None:
        if not watch.drawn(call):
            raise TaskError(
                f"Task {call.task}: call {call.id} was not drawn for an audit. Correct or rate "
                "it instead: what people pick themselves trains, and cannot certify."
            )
