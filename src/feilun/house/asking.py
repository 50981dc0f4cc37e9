"""The house's teacher audits: what the teacher is asked, at what price, and what it has cost.

A call that the teacher answered costs nothing to audit by the teacher: its answer is there,
and agrees with itself. Such an audit certifies agreement, and nobody is asked.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import NormalDist, fmean, variance

from feilun import watch
from feilun.errors import Conflict, EngineError, InputError, StoreError, TaskError
from feilun.house.log import Log
from feilun.house.queues import Paid, Queues, cost_of
from feilun.ports import Answer, Engine
from feilun.records import Audit, Call, Task

# A teacher that failed so often in a row is not there.
_FAILURES = 3

Ask = Callable[[Task], Engine]
"""The teacher of a task."""


@dataclass(frozen=True)
class Estimate:
    """What teacher audits would cost, with an interval that holds 95 %; None where unknown.

    `free` of the `calls` are the teacher's own answers. `based_on` are the calls of the
    same model that the estimate rests on.
    """

    task: str
    variant: str
    calls: int
    free: int
    based_on: int
    cost: Decimal | None
    low: Decimal | None
    high: Decimal | None


@dataclass(frozen=True)
class Asked:
    """One call of a run: its audit, or why there is none, and what it cost."""

    call: str
    task: str
    audit: Audit | None
    problem: str | None
    cost: Decimal | None


class Asking:
    """Asks the teacher for audits. Each is in the log before the next one begins."""

    def __init__(self, log: Log, queues: Queues, look: Callable[[str], object]) -> None:
        self._log = log
        self._queues = queues
        self._look = look

    def waiting(self, name: str) -> list[str]:
        """The ids of the calls that the teacher could judge, the next one first."""
        with self._queues.of(name) as line:
            return line.drawn.for_teacher()

    def queue(self, name: str | None = None) -> Iterator[str]:
        """The same for all tasks, which take turns."""
        names = self._log.tasks() if name is None else [name]
        return watch.in_turn({each: self.waiting(each) for each in names})

    def paid(self, name: str, day: date) -> Paid:
        """The audits of a day for which the teacher was asked."""
        with self._queues.of(name) as line:
            return line.paid.get(day, Paid())

    def price(self, name: str, variant: str) -> Decimal | None:
        """What a call of a model costs for this task, on average; None where that is unknown."""
        costs = self._costs(name, variant)
        return Decimal(sum(costs)) / len(costs) if costs else None

    def estimate(self, name: str, variant: str, ids: Sequence[str]) -> Estimate:
        """What it would cost to ask a model about these calls, by what its calls have cost.

        The interval is that of a sum yet to come: the spread of each call, and that of the
        mean it is foretold from.
        """
        free = sum(self._log.store.get(Call, id).by == "teacher" for id in ids)
        asked, costs = len(ids) - free, [float(each) for each in self._costs(name, variant)]
        mid = low = high = None if asked else Decimal(0)
        if asked and costs:
            mean = fmean(costs)
            mid = _money(asked * mean)
            if len(costs) > 1:
                spread = math.sqrt(variance(costs) * asked * (1 + asked / len(costs)))
                half = NormalDist().inv_cdf(0.975) * spread
                low, high = _money(max(0.0, asked * mean - half)), _money(asked * mean + half)
        return Estimate(name, variant, len(ids), free, len(costs), mid, low, high)

    def run(
        self, ids: Sequence[str], teacher: Ask, budget: Decimal | None = None
    ) -> Generator[Asked, None, None]:
        """Judge these calls, one after the other, and stop before the budget is exceeded.

        What is stopped in the middle has kept all that it has paid for, and the next run goes
        on behind it. Raises InputError where a budget is given and a price is unknown, and
        EngineError where the teacher is not there.
        """
        spent = dearest = Decimal(0)
        failed = 0
        for id in ids:
            call = self._log.store.get(Call, id)
            task = self._log.task(call.task)
            engine = None if call.by == "teacher" else teacher(task)
            if engine is not None and budget is not None:
                dearest = max([dearest, *self._costs(task.task, name_of(engine))])
                if spent + dearest > budget:
                    return
            try:
                done = self._one(call, task, engine)
            except (EngineError, TaskError) as error:
                failed += 1
                if failed == _FAILURES:
                    raise
                yield Asked(id, task.task, None, str(error), None)
                continue
            failed = 0
            if budget is not None:
                if done.cost is None:
                    raise InputError(
                        "A budget cannot be kept where a price is unknown: add the prices of "
                        f"{name_of(engine) if engine else 'the teacher'} to the book, or bound "
                        "the run with --limit. This audit is kept."
                    )
                spent += done.cost
                dearest = max(dearest, done.cost)
            yield done

    def keep(self, call: Call, said: Answer | None, variant: str) -> Audit:
        """Keep what the teacher said of a call. Of two that were asked at once the first counts."""
        audit = watch.judged_by_teacher(call, said, variant, at=self._log.clock.now())
        try:
            self._log.keep(audit)
        except Conflict:
            return self._log.store.get(Audit, audit.id)
        with suppress(StoreError):  # the audit is kept; the next look raises what this could not
            self._look(call.task)
        return audit

    def _one(self, call: Call, task: Task, engine: Engine | None) -> Asked:
        if engine is None:
            audit = self.keep(call, None, call.variant)
        else:
            audit = self.keep(call, engine.answer(task, call.input), name_of(engine))
        return Asked(call.id, task.task, audit, None, cost_of(audit, self._log))

    def _costs(self, name: str, variant: str) -> list[Decimal]:
        """What the latest calls of a model cost; none where a price of them is unknown."""
        with self._queues.of(name) as line:
            costs = [cost for who, cost in line.costs if who == variant]
        known = [cost for cost in costs if cost is not None]
        return known if len(known) == len(costs) else []


def name_of(engine: Engine) -> str:
    """The name of a teacher's model, as its calls and its prices know it."""
    return engine.name.removeprefix("prompt:")


def _money(amount: float) -> Decimal:
    return Decimal(repr(amount))
