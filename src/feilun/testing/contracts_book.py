"""The contract of the `Book` port, as tests that every book of prices passes.

Subclass `BookContract`, give the fixture `book` with a price of 0.25 CNY for
`audit:person` since 2026-01-01, with prices of 0.5 since that day and 0.125 since
2026-06-01 for `model:wise:8b:input_token`, and with none for `teacher:second`, and pytest
runs the rest.
"""
# ruff: noqa: S101 - these are tests, and tests assert

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from feilun.ports import Book
from feilun.records import Price, decode, encode

_KNOWN, _CHANGED, _UNKNOWN = "audit:person", "model:wise:8b:input_token", "teacher:second"
_SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class BookContract:
    """What every book promises. See `feilun.ports.Book` for the words."""

    @pytest.fixture
    def book(self) -> Book:
        """The book to test."""
        raise NotImplementedError("give the suite a book to test")

    def test_a_known_price_says_what_it_is_of_and_who_says_so(self, book: Book) -> None:
        """Exact, in the book's currency, with its unit and its source."""
        price = book.price(_KNOWN, _SINCE)
        assert price is not None
        assert (price.item, price.unit) == (_KNOWN, "audit")
        assert (price.amount, price.currency) == (Decimal("0.25"), "CNY")
        assert price.currency == book.currency
        assert (price.since, price.source != "") == (date(2026, 1, 1), True)

    def test_an_unknown_price_is_none_and_not_zero(self, book: Book) -> None:
        """Nothing is guessed, for an item that has no price or that nobody knows."""
        assert book.price(_UNKNOWN, _SINCE) is None
        assert book.price("no such item", _SINCE) is None

    def test_a_price_is_unknown_before_its_day(self, book: Book) -> None:
        """And in force from its first moment on."""
        assert book.price(_KNOWN, _SINCE - timedelta(microseconds=1)) is None
        assert book.price(_KNOWN, _SINCE) is not None
        assert book.price(_KNOWN, _SINCE + timedelta(days=900)) is not None

    def test_of_an_items_prices_the_newest_in_force_counts(self, book: Book) -> None:
        """From the first moment of its day on, and no moment before."""
        change = datetime(2026, 6, 1, tzinfo=UTC)
        moments = (_SINCE, change - timedelta(microseconds=1), change, change + timedelta(days=9))
        prices = [book.price(_CHANGED, moment) for moment in moments]
        amounts = [price.amount for price in prices if price]
        assert amounts == [Decimal("0.5"), Decimal("0.5"), Decimal("0.125"), Decimal("0.125")]
        assert {(p.item, p.unit) for p in prices if p} == {(_CHANGED, "token")}
        assert len({p.id for p in prices if p}) == 2

    def test_the_items_are_those_that_have_a_price(self, book: Book) -> None:
        """Once each, whether it was ever changed or not."""
        assert sorted(book.items()) == [_KNOWN, _CHANGED]

    def test_the_same_price_has_the_same_id(self, book: Book) -> None:
        """So a posting that names it can be checked."""
        assert book.price(_KNOWN, _SINCE) == book.price(_KNOWN, _SINCE + timedelta(days=1))

    def test_a_price_is_a_record_that_survives_the_log(self, book: Book) -> None:
        """To the last digit."""
        price = book.price(_KNOWN, _SINCE)
        assert price is not None
        assert decode(Price, encode(price)) == price
