"""FakeBook: prices in a dictionary."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal

from feilun.ledger.book import unit_of
from feilun.records import Price, content_id


class FakeBook:
    """The prices that a test names, in force from `since` on; all others are unknown.

    An item whose price changes has its amounts by the days on which they begin.
    """

    def __init__(
        self,
        prices: Mapping[str, str | Mapping[date, str]] | None = None,
        *,
        currency: str = "CNY",
        since: date = date(2026, 1, 1),
    ) -> None:
        self._currency = currency
        self._prices = {
            item: _history(item, {since: said} if isinstance(said, str) else said, currency)
            for item, said in (prices or {}).items()
        }

    @property
    def currency(self) -> str:
        """The one currency of this book."""
        return self._currency

    def items(self) -> Sequence[str]:
        """The items that the test has named."""
        return list(self._prices)

    def price(self, item: str, at: datetime) -> Price | None:
        """The price of an item in force at a moment, or None where it is unknown."""
        known = self._prices.get(item, ())
        return next((price for price in known if price.since <= at.date()), None)


def _history(item: str, amounts: Mapping[date, str], currency: str) -> tuple[Price, ...]:
    """The prices of one item, the newest first."""
    newest_first = sorted(amounts.items(), reverse=True)
    return tuple(_price(item, Decimal(amount), currency, day) for day, amount in newest_first)


def _price(item: str, amount: Decimal, currency: str, since: date) -> Price:
    return Price(
        id=content_id([item, str(amount), currency, since.isoformat()]),
        task="*",
        at=datetime.combine(since, time(), UTC),
        item=item,
        unit=unit_of(item) or "",
        amount=amount,
        currency=currency,
        source="a test",
        since=since,
    )
