"""Payback: when the calls a student served have paid for training, labels and audits.

What a served call avoided is not known, it was never asked: it is estimated by the mean
cost of the task's teacher calls. The interval of the payback is at 95 %.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import fmean, stdev

from feilun.records import Call, Posting


@dataclass(frozen=True)
class Payback:
    """Costs and savings so far, and when they meet.

    `calls` and `days` count from the first call of the task, and `on` is that day. `reached`
    says whether they lie in the past; otherwise they are projected at the margin since the
    last release.
    None: never at this margin, or unknown, and `unknown` names the missing prices.
    """

    currency: str
    teacher_per_call: Decimal | None
    saved: Decimal | None
    spent: Decimal | None
    reached: bool
    calls: int | None
    calls_low: int | None
    calls_high: int | None
    days: float | None
    days_low: float | None
    days_high: float | None
    unknown: tuple[str, ...]
    on: date | None = None
    on_low: date | None = None
    on_high: date | None = None


_NONE = (None, None, None)


def payback(
    calls: Sequence[Call], postings: Iterable[Posting], currency: str, since: datetime | None
) -> Payback:
    """The payback of a task. `since` is the last release: the margin is measured from there."""
    rows = [row for row in postings if row.debit.startswith("expense:")]
    unknown = tuple(
        sorted({f"{p.debit.partition(':')[2]} per {p.unit}" for p in rows if p.amount is None})
    )
    teacher = _by_call(rows)
    costs = [float(teacher[call.id]) for call in calls if call.id in teacher]
    if unknown or len(costs) < 2:
        return Payback(currency, None, None, None, False, *_NONE, *_NONE, unknown)
    mean, spread = fmean(costs), stdev(costs) / math.sqrt(len(costs))
    spent = _spent(rows)
    events = _events(rows)
    served = sum(call.by == "student" for call in calls)
    middle, low, high = (
        _meet(events, calls, mean + z * spread, since, z) if served else None
        for z in (0.0, 1.96, -1.96)
    )
    per_day = _calls_per_day(calls)
    days, days_low, days_high = (_days(count, per_day) for count in (middle, low, high))
    return Payback(
        currency=currency,
        teacher_per_call=Decimal(str(round(mean, 9))),
        saved=Decimal(str(round(mean * served, 6))),
        spent=spent,
        reached=middle is not None and middle <= len(calls),
        calls=middle,
        calls_low=low,
        calls_high=high,
        days=days,
        days_low=days_low,
        days_high=days_high,
        unknown=(),
        on=_on(calls[0].at, days),
        on_low=_on(calls[0].at, days_low),
        on_high=_on(calls[0].at, days_high),
    )


def _by_call(rows: Iterable[Posting]) -> dict[str, Decimal]:
    """The teacher's cost of each call that it answered."""
    costs: dict[str, Decimal] = {}
    for posting in rows:
        if posting.debit == "expense:teacher" and posting.amount is not None:
            call = posting.cause.partition(":")[2]
            costs[call] = costs.get(call, Decimal(0)) + posting.amount
    return costs


def _spent(rows: Iterable[Posting]) -> Decimal:
    """All that the wheel cost beside the teacher's own answers."""
    own = (p.amount for p in rows if p.debit != "expense:teacher" and p.amount is not None)
    return sum(own, Decimal(0))


def _events(rows: Iterable[Posting]) -> list[tuple[datetime, float]]:
    """What the wheel cost, in time order."""
    costs = [
        (p.at, float(p.amount))
        for p in rows
        if p.debit != "expense:teacher" and p.amount is not None
    ]
    return sorted(costs)


def _meet(
    events: list[tuple[datetime, float]],
    calls: Sequence[Call],
    value: float,
    since: datetime | None,
    z: float,
) -> int | None:
    """The first call from which on savings, at `value` each, are not below costs.

    Within the log it is where the balance stays at or above zero. Beyond the log it is
    projected at the mean margin of the calls since `since`, plus z standard errors.
    """
    balance, crossed, next_event = 0.0, None, 0
    margins = []
    for number, call in enumerate(calls, start=1):
        change = value if call.by == "student" else 0.0
        balance += change
        while next_event < len(events) and events[next_event][0] <= call.at:
            at, cost = events[next_event]
            balance -= cost
            if since is not None and at > since:  # what came before is no running cost
                change -= cost
            next_event += 1
        if since is not None and call.at > since:
            margins.append(change)
        crossed = (crossed or number) if balance >= 0 else None
    balance -= sum(cost for _, cost in events[next_event:])
    if balance >= 0:
        return crossed
    if len(margins) < 2:
        return None
    margin = fmean(margins) + z * stdev(margins) / math.sqrt(len(margins))
    return len(calls) + math.ceil(-balance / margin) if margin > 0 else None


def _calls_per_day(calls: Sequence[Call]) -> float:
    span = (calls[-1].at - calls[0].at).total_seconds() / 86_400
    return len(calls) / max(span, 1 / 24)


def _days(calls: int | None, per_day: float) -> float | None:
    return None if calls is None else calls / per_day


def _on(first: datetime, days: float | None) -> date | None:
    """The day, as long as calendars go that far."""
    try:
        return None if days is None else (first + timedelta(days=days)).date()
    except OverflowError:
        return None
