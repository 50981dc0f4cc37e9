"""A released student held against its red line, one observation at a time.

Four limits can call it back. The expected loss of its answers, by audits. The share of its
answers that take longer than the p95 allows, by all of them. What an accepted result costs,
by audits. And an answer that must never be given: a single audit that finds one is enough.

The chance that a student which holds its line is ever called back is shared out. The k-th
student released in a task's life gets 6 / (pi^2 k^2) of `false_alarms`, which over all k
sums to all of it; the limits that are declared share this evenly. So the promise holds over
all retrains, all limits and all looks together (union bound).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from feilun.records import (
    Alarm,
    Audit,
    Call,
    Instant,
    Money,
    RedLine,
    Release,
    Task,
    WhyAlarm,
    content_id,
)
from feilun.tasks import broken_never, loss
from feilun.watch.eprocess import EProcess

SLOW_SHARE = 0.05  # what a p95 allows to be slower

CostOf = Callable[[Call], Money | None]
"""What a call cost; None where a price is unknown."""


def alpha_of(line: RedLine, number: int) -> float:
    """The share of the budget of false alarms of each limit of student `number`, from 1."""
    whole = line.false_alarms * 6 / (math.pi**2 * number**2)
    return whole / len(list(_statistical(line)))


class Found(NamedTuple):
    """A limit that is broken: which, by what was last counted, and by which rule."""

    why: WhyAlarm
    last: str
    rule: str | None = None


@dataclass(slots=True)
class _Judged:
    """What the audit that counts says of a call. Kept small: there is one for each audited call."""

    rank: tuple[bool, Instant, str]
    loss: float
    cost: float | None
    weight: float


class Guard:
    """Watches one release of a student. `number` counts the student releases of its task.

    Feed it calls and audits in the order of the log. Its state is a function of them.
    """

    def __init__(self, task: Task, release: Release, number: int, cost_of: CostOf) -> None:
        self.task = task
        self.release = release
        self.alpha = alpha_of(task.red_line, number)
        self._cost_of = cost_of
        self._judged: dict[str, _Judged] = {}
        self.processes = {why: self._process(why) for why in _statistical(task.red_line)}

    def serves(self, call: Call) -> bool:
        """Whether the watched student answered a call."""
        same = call.release == self.release.id and call.variant == self.release.variant
        return same and call.by == "student"

    def call(self, call: Call) -> Found | None:
        """Take a call of the task, and say whether it shows that answers are too slow."""
        process = self.processes.get(WhyAlarm.SLOW)
        limit = self.task.red_line.p95_seconds
        if process is None or limit is None or not self.serves(call):
            return None
        slow = process.step(float(call.seconds > limit))
        return Found(WhyAlarm.SLOW, call.id) if slow else None

    def audit(self, call: Call, audit: Audit) -> Found | None:
        """Take an audit of a call, and say which limit it shows to be broken.

        Where a call is audited again the audit that counts takes the place of the first,
        and the evidence is made anew: it is then about what people say, and no longer about
        what the teacher said. See docs/design/0016-watch.md for what this means.
        """
        said, before = self._says(call, audit), self._judged.get(call.id)
        if not self.serves(call) or (before and before.rank > said.rank):
            return None
        self._judged[call.id] = said
        if before is None:
            self._step(said)
        elif (said.loss, said.cost) != (before.loss, before.cost):
            self._again()
        return self._found(call, audit)

    def alarm(self, found: Found, at: Instant) -> Alarm:
        """The record of what was found."""
        process = self.processes.get(found.why)
        return Alarm(
            id=content_id([self.release.id, found.why, found.rule]),
            task=self.task.task,
            at=at,
            release=self.release.id,
            variant=self.release.variant or "",
            why=found.why,
            alpha=self.alpha,
            evidence=process.evidence if process else None,
            seen=process.seen if process else len(self._judged),
            mean=self.mean(found.why),
            limit=self.line(found.why),
            last=found.last,
            rule=found.rule,
        )

    def line(self, why: WhyAlarm) -> float:
        """The limit in the unit of what is watched."""
        line = self.task.red_line
        if why is WhyAlarm.RISK:
            return line.max_loss
        if why is WhyAlarm.SLOW:
            return SLOW_SHARE
        if why is WhyAlarm.COST and line.cost_per_accepted:
            return float(line.cost_per_accepted.amount)
        return 0.0

    def mean(self, why: WhyAlarm) -> float | None:
        """What was seen of it: mean loss, share of slow calls, cost of an accepted result."""
        if why is WhyAlarm.COST:
            return self._cost_per_accepted()
        process = self.processes.get(why)
        return process.mean if process else None

    def _process(self, why: WhyAlarm) -> EProcess:
        if why is WhyAlarm.RISK:
            return EProcess(self.task.red_line.max_loss, self.alpha)
        if why is WhyAlarm.SLOW:
            return EProcess(SLOW_SHARE, self.alpha)
        return EProcess(1.0, self.alpha, most=None)

    def _says(self, call: Call, audit: Audit) -> _Judged:
        rank = (audit.by == "person", audit.at, audit.id)
        rate = call.common_rate or call.audit_rate
        weight = min(1.0, rate / audit.rate)
        return _Judged(rank, loss(self.task, call.output, audit.output), self._cost(call), weight)

    def _cost(self, call: Call) -> float | None:
        limit = self.task.red_line.cost_per_accepted
        if limit is None:
            return None
        cost = self._cost_of(call)
        return float(cost.amount) if cost and cost.currency == limit.currency else None

    def _step(self, said: _Judged) -> None:
        """Cost per accepted result: E[cost] <= limit * E[1 - loss] says the same as
        E[cost / limit + loss] <= 1, and that is a mean which a bet can be made on.
        """
        self.processes[WhyAlarm.RISK].step(said.loss, said.weight)
        cost = self.processes.get(WhyAlarm.COST)
        if cost and said.cost is not None:
            cost.step(said.cost / self.line(WhyAlarm.COST) + said.loss, said.weight)

    def _again(self) -> None:
        """Make the evidence of the audits anew, each call at the place of its first audit."""
        for why in self.processes.keys() - {WhyAlarm.SLOW}:
            self.processes[why] = self._process(why)
        for said in self._judged.values():
            self._step(said)

    def _found(self, call: Call, audit: Audit) -> Found | None:
        rule = broken_never(self.task, call.output, audit.output)
        if rule is not None:
            return Found(WhyAlarm.NEVER, audit.id, rule.name)
        broken = (why for why, each in self.processes.items() if each.reached)
        why = next((why for why in broken if why is not WhyAlarm.SLOW), None)
        return Found(why, audit.id) if why else None

    def _cost_per_accepted(self) -> float | None:
        priced = [each for each in self._judged.values() if each.cost is not None]
        accepted = math.fsum(each.weight * (1 - each.loss) for each in priced)
        spent = math.fsum(each.weight * (each.cost or 0.0) for each in priced)
        return spent / accepted if accepted else None


def _statistical(line: RedLine) -> Iterator[WhyAlarm]:
    """The limits of a red line that need evidence."""
    yield WhyAlarm.RISK
    if line.p95_seconds is not None:
        yield WhyAlarm.SLOW
    if line.cost_per_accepted is not None:
        yield WhyAlarm.COST
