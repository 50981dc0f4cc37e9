"""What a model's tokens cost, on the hot path and for budgets: one multiplication each.

A model with prices of its own is billed by them alone. A task's teacher without any is
billed by the `teacher:` items; a raw call is not: its model's price is then unknown.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache

from feilun.ledger.book import MODEL_ITEMS
from feilun.ports import Book
from feilun.records import Money


@dataclass(frozen=True)
class Tariff:
    """What one token costs. A tariff without a cache price bills cached tokens in full."""

    input: Decimal
    cached: Decimal
    output: Decimal
    currency: str


# Both are asked of every call, and change with the day only.
@lru_cache(maxsize=4096)
def owner(book: Book, variant: str, day: date, *, raw: bool) -> str:
    """Whose items bill a teacher's call: the model's own, or the teacher's."""
    model, at = f"model:{variant}", _morning(day)
    own = any(book.price(f"{model}:{what}", at) for what in MODEL_ITEMS)
    return model if raw or own else "teacher"


@lru_cache(maxsize=4096)
def tariff(book: Book, variant: str, day: date, *, raw: bool) -> Tariff | None:
    """The prices of a model's tokens on a day of UTC; None where one of them is unknown."""
    whose = owner(book, variant, day, raw=raw)
    input, cached, output = (
        book.price(f"{whose}:{what}_token", _morning(day)) for what in ("input", "cached", "output")
    )
    if input is None or output is None:
        return None
    return Tariff(input.amount, (cached or input).amount, output.amount, book.currency)


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def cost(
    book: Book,
    variant: str,
    tokens_in: int,
    tokens_cached: int,
    tokens_out: int,
    at: datetime,
    *,
    raw: bool,
) -> Money | None:
    """What a teacher's call of so many tokens costs; None where a price is unknown.

    `tokens_cached` is the part of `tokens_in` that a prompt cache held.
    """
    prices = tariff(book, variant, at.date(), raw=raw)
    if prices is None:
        return None
    amount = prices.input * (tokens_in - tokens_cached) + prices.output * tokens_out
    if tokens_cached:
        amount += prices.cached * tokens_cached
    # Decimal and currency come from a checked book: validating costs as much as the sum
    return Money.model_construct(amount=amount, currency=prices.currency)
