"""The one door to the ledger: what a task earns per call, how often it is asked, how sure that is.

Days are the unit of chance: calls of one day are alike. The margin per call is a ratio of
two daily sums, and its standard error that of Cochran (Sampling Techniques, 1977, 6.4).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from feilun.errors import InputError
from feilun.house import House
from feilun.ledger import Account, Estimate, Statement
from feilun.records import Call

DAYS = 28  # whole weeks, so that no weekday counts twice
_FEWEST = 2


@dataclass(frozen=True)
class Unit:
    """The unit economics of a task. `margin` is per call, after all that the task cost.

    Measured ones name their days; assumed ones have none, and no error that anyone knows.
    """

    task: str
    margin: float
    margin_error: float
    calls_per_day: float
    calls_error: float
    first: date | None = None
    last: date | None = None
    cost_per_accepted: Estimate | None = None
    payback_on: date | None = None


def measure(house: House, tasks: Sequence[str], currency: str, until: date) -> dict[str, Unit]:
    """What a store says of tasks in the weeks before a day. InputError: it says nothing."""
    if house.book.currency != currency:
        raise InputError(
            f"The book of prices is in {house.book.currency} and the file in {currency}. "
            "Currencies are never mixed: write the file in the book's currency."
        )
    for task in tasks:
        house.task(task)
    weeks = _Weeks(until - timedelta(days=DAYS), until - timedelta(days=1))
    weeks.read(house)
    return {task: _unit(house, task, weeks) for task in tasks}


class _Weeks:
    """Statements of a stretch of days, of the whole and of each day, in one walk of the log."""

    def __init__(self, first: date, last: date) -> None:
        self.first, self.last = first, last
        self._whole = Statement(None, first, last)
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        self._days = {day: Statement(None, day, day) for day in days}

    def read(self, house: House) -> None:
        """Walk the log."""
        trace = house.accounts.trace(lambda calls: self._whole.counted(self._counted(calls)))
        for part in trace:
            self._whole.add(part)
            if day := self._days.get(part.posting.at.date()):
                day.add(part)
        trace.unposted()  # reads on to the last call

    def _counted(self, calls: Iterator[Call]) -> Iterator[Call]:
        for call in calls:
            day = self._days.get(call.at.date())
            yield from day.counted((call,)) if day else (call,)

    def whole(self, task: str) -> Account | None:
        """All days of a task."""
        return next((row for row in self._whole.rows() if row.name == task), None)

    def daily(self, task: str) -> list[tuple[int, Decimal]]:
        """Calls and margin of each day, from the first that has any: later ones may be empty."""
        found: list[tuple[int, Decimal]] = []
        for day in self._days.values():
            row = next((row for row in day.rows() if row.name == task), None)
            if row is not None or found:
                found.append((row.calls, row.income - row.cost) if row else (0, Decimal(0)))
        return found


def _unit(house: House, task: str, weeks: _Weeks) -> Unit:
    whole, days = weeks.whole(task), weeks.daily(task)
    if whole is None or len(days) < _FEWEST or not whole.calls:
        raise InputError(
            f"Task {task}: the log has calls on fewer than {_FEWEST} of the days from "
            f"{weeks.first} to {weeks.last}. Declare per_call and calls_per_day in the file, and "
            "leave out --store."
        )
    if whole.margin is None:
        raise InputError(
            f"Task {task}: no price for {', '.join(sorted(whole.unknown))}. Name it in the book "
            "of prices: an unknown cost is never guessed."
        )
    calls, error = _mean([count for count, _ in days])
    found = house.accounts.economics(whole, house.auditing.risk(task))
    return Unit(
        task=task,
        margin=float(whole.margin) / whole.calls,
        margin_error=_ratio_error(days),
        calls_per_day=calls,
        calls_error=error,
        first=weeks.first,
        last=weeks.last,
        cost_per_accepted=found.cost_per_accepted,
        payback_on=house.accounts.payback(task).on,
    )


def _mean(counts: Sequence[int]) -> tuple[float, float]:
    """Mean and standard error; never less than a Poisson count would have."""
    mean = sum(counts) / len(counts)
    spread = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
    return mean, math.sqrt(max(spread, mean) / len(counts))


def _ratio_error(days: Sequence[tuple[int, Decimal]]) -> float:
    calls = sum(count for count, _ in days)
    ratio = float(sum(margin for _, margin in days)) / calls
    apart = sum((float(margin) - ratio * count) ** 2 for count, margin in days)
    return math.sqrt(len(days) / (len(days) - 1) * apart) / calls
