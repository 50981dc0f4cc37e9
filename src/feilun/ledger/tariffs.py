"""Public tariffs, in a currency that may not be the book's.

The table is made by `recipes/tariffs.py` and says of each price who said so, and when. It
is used only where a book asks for it, and in another currency only at a rate that the book
itself declares: an exchange rate is the price of one unit of the other currency.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from feilun.records import Price, content_id

TARIFFS = Path(__file__).parent / "tariffs.toml"


def converted(prices: Sequence[Price], rates: Sequence[Price]) -> tuple[Price, ...]:
    """An item's history at the rates of each day, the newest first as both are.

    Before the first rate nothing is known.
    """
    begins = max(prices[-1].since, rates[-1].since)
    days = {begins, *(each.since for each in (*prices, *rates) if each.since > begins)}
    return tuple(_at(day, prices, rates) for day in sorted(days, reverse=True))


def _at(day: date, prices: Sequence[Price], rates: Sequence[Price]) -> Price:
    price, rate = (next(p for p in each if p.since <= day) for each in (prices, rates))
    body = {
        "task": "*",
        "at": f"{day}T00:00:00Z",
        "item": price.item,
        "unit": price.unit,
        "amount": str((price.amount * rate.amount).normalize()),
        "currency": rate.currency,
        "source": f"{price.source}; a {rate.unit} at {rate.amount:f} by {rate.source}",
        "since": str(day),
    }
    return Price.model_validate({"id": content_id(body), **body})
