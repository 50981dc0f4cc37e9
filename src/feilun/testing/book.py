"""FakeBook: prices in a dictionary."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal

from feilun.ledger.book import ITEMS
from feilun.records import Price, content_id


class FakeBook:
    """The prices that a test names, in force from `since` on; all others are unknown."""

    def __init__(
        self,
        prices: Mapping[str, str] | None = None,
        *,
        currency: str = "CNY",
        since: date = date(2026, 1, 1),
    ) -> None:
        self._currency = currency
        self._prices = {
            item: _price(item, Decimal(amount), currency, since)
            for item, amount in (prices or {}).items()
        }

    @property
    def currency(self) -> str:
        """The one currency of this book."""
        return self._currency

    def price(self, item: str, at: datetime) -> Price | None:
        """The price of an item in force at a moment, or None where it is unknown."""
        found = self._prices.get(item)
        return found if found and found.since <= at.date() else None


def _price(item: str, amount: Decimal, currency: str, since: date) -> Price:
    return Price(
        id=content_id([item, str(amount), currency, since.isoformat()]),
        task="*",
        at=datetime.combine(since, time(), UTC),
        item=item,
        unit=ITEMS[item],
        amount=amount,
        currency=currency,
        source="a test",
        since=since,
    )
