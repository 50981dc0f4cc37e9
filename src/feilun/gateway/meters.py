"""Meters: what one key has used of a minute, a day and a month, and what it may not use more.

`limits.py` decides what a call may come to; here it is held against a limit and refused
with the way out.
"""

import math
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from feilun.errors import AccessError
from feilun.records import Key, Money

_MINUTE = 60.0


@dataclass(slots=True)
class Tokens:
    """A key's tokens of one day of UTC, which ends at `until`."""

    until: datetime
    spent: int = 0
    reserved: int = 0


@dataclass(slots=True)
class Spending:
    """A key's money of one month of UTC, which ends at `until`."""

    until: datetime
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)


class Meter:
    """What one key has used. Time that is set back opens no old day again."""

    __slots__ = ("_times", "day", "month")

    def __init__(self, now: datetime) -> None:
        self.day = Tokens(next_day(now))
        self.month = Spending(next_month(now))
        self._times: deque[float] = deque()

    def turn(self, now: datetime) -> None:
        """A new day or month begins with nothing spent; what is in flight stays with the old."""
        if now >= self.day.until:
            self.day = Tokens(next_day(now))
            if now >= self.month.until:
                self.month = Spending(next_month(now))

    def count_request(self, key: Key, per_minute: int, tick: float) -> None:
        """At most so many in any sixty seconds, whenever they begin. Raises AccessError."""
        times = self._times
        while times and times[0] <= tick - _MINUTE:
            times.popleft()
        if len(times) >= per_minute:
            wait = times[-per_minute] + _MINUTE - tick
            raise AccessError(
                f"The key that ends in {key.last4} may ask {per_minute:,} times a minute, and "
                f"has. Come back in {math.ceil(wait)} s.",
                status=429,
                code="rate_limit_exceeded",
                retry_after=wait,
            )
        times.append(tick)

    def check_tokens(self, key: Key, budget: int, need: int, now: datetime) -> None:
        """Raise AccessError where a call that may take so many tokens could break the budget."""
        day = self.day
        if day.spent + day.reserved + need > budget:
            raise AccessError(
                f"The key that ends in {key.last4} has {budget:,} tokens a day: {day.spent:,} are "
                f"spent, {day.reserved:,} are set aside for calls in flight, and this call may "
                f"take {need:,}. Bound its answer with max_tokens, or come back "
                f"{_when(budget, day.spent, need, day.until)}.",
                status=429,
                code="insufficient_quota",
                retry_after=_wait(budget, day.spent, need, day.until, now),
            )

    def check_money(self, key: Key, budget: Money, need: Decimal, now: datetime) -> None:
        """Raise AccessError where a call that may cost so much could break the budget."""
        month = self.month
        if month.spent + month.reserved + need > budget.amount:
            raise AccessError(
                f"The key that ends in {key.last4} has {budget.amount:f} {budget.currency} a "
                f"month: {month.spent:f} are spent, {month.reserved:f} are set aside for calls "
                f"in flight, and this call may cost {need:f}. Bound its answer with max_tokens, "
                f"or come back {_when(budget.amount, month.spent, need, month.until)}.",
                status=429,
                code="insufficient_quota",
                retry_after=_wait(budget.amount, month.spent, need, month.until, now),
            )


_Amount = TypeVar("_Amount", int, Decimal)


def _when(budget: _Amount, spent: _Amount, need: _Amount, until: datetime) -> str:
    """When a call that is too much now would be allowed."""
    if need > budget:
        return "with a larger limit: it is more than all of this one"
    if spent + need <= budget:
        return "when those calls have ended"
    return f"on {until:%Y-%m-%d} UTC"


def _wait(
    budget: _Amount, spent: _Amount, need: _Amount, until: datetime, now: datetime
) -> float | None:
    """The same in seconds; None where waiting does not help."""
    if need > budget:
        return None
    return 1.0 if spent + need <= budget else (until - now).total_seconds()


def day_of(at: datetime) -> datetime:
    """The beginning of a moment's day in UTC."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def month_of(at: datetime) -> datetime:
    """The beginning of a moment's month in UTC."""
    return day_of(at).replace(day=1)


def next_day(at: datetime) -> datetime:
    """The end of a moment's day."""
    return day_of(at) + timedelta(days=1)


def next_month(at: datetime) -> datetime:
    """The end of a moment's month."""
    return month_of(month_of(at) + timedelta(days=32))
