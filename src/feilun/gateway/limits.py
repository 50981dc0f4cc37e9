"""Limits: how much a key may still ask. The worst that a call can take is reserved before it
is sent, and what it took is settled after it: so calls at the same time share one budget.

Each gateway process counts by itself: it knows what the log had when it started and what
passed through it since. Several processes on one store may together exceed a limit by as
much as each lets through. Requests of the last minute are not carried over a restart, nor
are calls that the log does not keep. A student's answer takes nothing from a budget: no
tokens were bought for it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from feilun.errors import AccessError
from feilun.gateway.meters import (
    Meter,
    Spending,
    Tokens,
    day_of,
    month_of,
    next_day,
    next_month,
)
from feilun.ledger import cost
from feilun.ports import Book, Clock
from feilun.records import RAW, Call, Json, Key, Money, stable_json

# Tokens set aside for an answer that its request does not bound: the whole context of the
# embedded model. A longer answer is counted in full when it is settled.
UNBOUNDED = 4096

_NOTHING = Decimal(0)


class Ask(NamedTuple):
    """What a request may come to. Any of `models` may answer it, at its own price.

    A tokenizer makes at most one token of a byte, so the body bounds the prompt.
    `max_tokens` is of all its answers together; None where the request does not say.
    """

    models: Sequence[str]
    body_bytes: int
    max_tokens: int | None
    raw: bool  # of no task: see `ledger.cost`

    @property
    def tokens_out(self) -> int:
        """The tokens set aside for the answer."""
        return UNBOUNDED if self.max_tokens is None else max(self.max_tokens, 0)


class Used(NamedTuple):
    """What a key has spent today and this month, and what its calls in flight have reserved."""

    tokens: int
    tokens_reserved: int
    money: Decimal
    money_reserved: Decimal


@dataclass(slots=True, eq=False)
class Reservation:
    """What is set aside for one call, out of the day and the month in which it was asked.

    `at` is that moment: the call's record has it too, so that a restart counts alike.
    """

    at: datetime
    ask: Ask
    tokens: int
    money: Decimal
    day: Tokens
    month: Spending
    open: bool = True


class Budgets:
    """What all keys have used, at the prices of a book. Safe to call from any thread.

    `calls` are those of the log since `needed_since`. They count as they did when they
    were made.
    """

    def __init__(
        self,
        book: Book,
        clock: Clock,
        calls: Iterable[Call] = (),
        *,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._clock = clock
        self._tick = tick
        self._lock = threading.Lock()
        self._meters: dict[str, Meter] = {}
        for call in calls:
            self._recall(call)

    def reserve(self, key: Key, ask: Ask) -> Reservation:
        """Set aside the worst that a call can take. AccessError says which limit it would break.

        Settle or release it, whatever becomes of the call.
        """
        limits, money = key.limits, _NOTHING
        with self._lock:
            now = self._clock.now()
            meter = self._meter(key.key, now)
            if limits.tokens_per_day:
                need = ask.body_bytes + ask.tokens_out
                meter.check_tokens(key, limits.tokens_per_day, need, now)
            if limits.money_per_month:
                money = self._worst(key, limits.money_per_month, ask, now)
                meter.check_money(key, limits.money_per_month, money, now)
            if limits.requests_per_minute:  # the last one: what was refused is not counted
                meter.count_request(key, limits.requests_per_minute, self._tick())
            return _set_aside(now, ask, money, meter.day, meter.month)

    def settle(
        self,
        reservation: Reservation,
        variant: str,
        tokens_in: int | None,
        tokens_cached: int | None,
        tokens_out: int | None,
    ) -> Money | None:
        """Count what a call took in the place of what it reserved. What it cost, where known.

        What the engine did not count is charged as it was reserved. Once is enough: a second
        time changes nothing.
        """
        ask, counted = reservation.ask, tokens_in is not None and tokens_out is not None
        took = ask.body_bytes if tokens_in is None else tokens_in
        gave = ask.tokens_out if tokens_out is None else tokens_out
        cached = min(tokens_cached or 0, took)
        price = cost(self._book, variant, took, cached, gave, reservation.at, raw=ask.raw)
        self._close(reservation, took + gave, price.amount if price else reservation.money)
        return price if counted else None

    def release(self, reservation: Reservation) -> None:
        """Give back what was reserved: no model was asked, or a student answered."""
        self._close(reservation, 0, _NOTHING)

    def used(self, key: Key) -> Used:
        """What a key has used so far."""
        with self._lock:
            meter = self._meter(key.key, self._clock.now())
            day, month = meter.day, meter.month
            return Used(day.spent, day.reserved, month.spent, month.reserved)

    def _meter(self, key: str, now: datetime) -> Meter:
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = Meter(now)
        meter.turn(now)
        return meter

    def _close(self, reservation: Reservation, tokens: int, money: Decimal) -> None:
        with self._lock:
            if not reservation.open:
                return
            reservation.open = False
            reservation.day.reserved -= reservation.tokens
            reservation.day.spent += tokens
            reservation.month.reserved -= reservation.money
            reservation.month.spent += money

    def _worst(self, key: Key, budget: Money, ask: Ask, now: datetime) -> Decimal:
        """The most that a call can cost. Raises AccessError where that is unknown."""
        worst = _NOTHING
        for model in ask.models:
            price = cost(self._book, model, ask.body_bytes, 0, ask.tokens_out, now, raw=ask.raw)
            if price is None or price.currency != budget.currency:
                raise _unknown_price(key, model, budget, self._book)
            worst = max(worst, price.amount)
        return worst

    def _recall(self, call: Call) -> None:
        """Count a call of the log."""
        if call.key is None or call.by == "student":
            return
        meter = self._meter(call.key, call.at)
        counted = call.tokens_in is not None and call.tokens_out is not None
        size = 0 if counted else len(stable_json(call.input))
        ask = Ask((call.variant,), size, _bound(call.input), call.task == RAW)
        # a call that came late into the log may be of a day or a month that is over
        day = meter.day if meter.day.until == next_day(call.at) else Tokens(call.at)
        month = meter.month if meter.month.until == next_month(call.at) else Spending(call.at)
        made = _set_aside(call.at, ask, _NOTHING, day, month)
        self.settle(made, call.variant, call.tokens_in, call.tokens_cached, call.tokens_out)


def needed_since(keys: Iterable[Key], now: datetime) -> datetime | None:
    """From when on the log says what these keys have used; None where no limit asks."""
    limits = [key.limits for key in keys if not key.revoked]
    if any(each.money_per_month for each in limits):
        return month_of(now)
    return day_of(now) if any(each.tokens_per_day for each in limits) else None


def _set_aside(at: datetime, ask: Ask, money: Decimal, day: Tokens, month: Spending) -> Reservation:
    tokens = ask.body_bytes + ask.tokens_out
    day.reserved += tokens
    month.reserved += money
    return Reservation(at, ask, tokens, money, day, month)


def _bound(asked: Json) -> int | None:
    """The bound that a logged request set for its answer, where it is a request and set one."""
    if not isinstance(asked, dict):
        return None
    names = ("max_completion_tokens", "max_tokens", "max_output_tokens")
    return next((asked[name] for name in names if isinstance(asked.get(name), int)), None)


def _unknown_price(key: Key, model: str, budget: Money, book: Book) -> AccessError:
    return AccessError(
        f"The key that ends in {key.last4} has a budget in {budget.currency}, and what {model!r} "
        f"costs in {budget.currency} is unknown. Write its input_token and output_token into the "
        f'book of prices (in {book.currency}), under [models."{model}"], or use a key without a '
        "budget of money.",
        status=403,
        code="unknown_price",
    )
