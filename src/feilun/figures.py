"""What the log says of a task over a stretch of time: the figures of tables and pages."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from feilun.discovery import is_copy
from feilun.house import House
from feilun.records import Audit, Call, Ended, Posting
from feilun.tasks import loss
from feilun.watch import Risk, risk


@dataclass(frozen=True)
class Period:
    """A stretch of a task's life. Money is per 1,000 calls; None means unknown."""

    first: datetime
    last: datetime
    calls: int
    student_share: float
    risk: Risk | None  # of all answers, judged by audits
    student_risk: Risk | None  # of the student's answers alone
    cost: float | None
    wheel_cost: float | None  # the part of it that is not the teacher's
    p50_seconds: float


def period(house: House, name: str, within: Callable[[Call], bool]) -> Period | None:
    """The figures of the calls that are `within`; None where there is none.

    An adoption's copies of raw calls are no part of them: nobody was billed for those here. Nor
    are legs that were overtaken: they cost, and answered nobody.
    """
    told = (c for c in house.store.read(Call, name) if c.ended is not Ended.OVERTAKEN)
    calls = [c for c in told if within(c) and not is_copy(c)]
    if not calls:
        return None
    chosen = {call.id for call in calls}
    audited = [(call, audit) for call, audit in house.auditing.audited(name) if call.id in chosen]
    task = house.task(name)

    def wrong(rows: Iterable[tuple[Call, Audit]]) -> Risk | None:
        return risk(rows, lambda output, right: loss(task, output, right))

    cost, wheel = _cost(house.store.read(Posting, name), calls)
    return Period(
        first=calls[0].at,
        last=calls[-1].at,
        calls=len(calls),
        student_share=sum(call.by == "student" for call in calls) / len(calls),
        risk=wrong(audited),
        student_risk=wrong(row for row in audited if row[0].by == "student"),
        cost=cost,
        wheel_cost=wheel,
        p50_seconds=median(call.seconds for call in calls),
    )


def _cost(postings: Iterable[Posting], calls: list[Call]) -> tuple[float | None, float | None]:
    """Cost per 1,000 calls between the first and the last call: all of it, and the wheel's own."""
    start, end = calls[0].at, calls[-1].at
    rows = [p for p in postings if start <= p.at <= end and p.debit.startswith("expense:")]
    if any(posting.amount is None for posting in rows):
        return None, None
    total = sum(float(p.amount or 0) for p in rows)
    wheel = sum(float(p.amount or 0) for p in rows if p.debit != "expense:teacher")
    return 1000 * total / len(calls), 1000 * wheel / len(calls)
