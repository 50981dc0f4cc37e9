"""A book of prices in TOML. Each price says where it comes from and since when."""

import re
import tomllib
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from feilun.errors import InputError
from feilun.records import Price, content_id

ITEMS = {
    "teacher:input_token": "token",
    "teacher:cached_token": "token",
    "teacher:output_token": "token",
    "teacher:second": "second",
    "student:second": "second",
    "training:second": "second",
    "audit:person": "audit",
    "audit:teacher": "audit",
    "label:person": "correction",
}


class TomlBook:
    """Prices from a TOML file: `currency`, and a table per item with amount, per, source, since.

    Raises InputError for a file that is not such a book. An item that the file does not
    name has no price: it is unknown.
    """

    def __init__(self, path: Path) -> None:
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: is not TOML in UTF-8: {error}.") from error
        self._currency = raw.get("currency")
        if not isinstance(self._currency, str) or not re.fullmatch("[A-Z]{3}", self._currency):
            raise InputError(f'{path}: write the currency first, as in currency = "CNY".')
        prices = raw.get("prices", {})
        if not isinstance(prices, dict):
            raise InputError(f"{path}: prices must be a table, [prices], with a row per item.")
        self._prices = {item: self._read(path, item, prices[item]) for item in prices}

    @property
    def currency(self) -> str:
        """The one currency of this book, in ISO 4217 letters."""
        return str(self._currency)

    def price(self, item: str, at: datetime) -> Price | None:
        """The price of an item in force at a moment, or None where it is unknown."""
        found = self._prices.get(item)
        return found if found and found.since <= at.date() else None

    def _read(self, path: Path, item: str, raw: dict[str, object]) -> Price:
        if item not in ITEMS:
            raise InputError(f"{path}: unknown item {item!r}. Items: {', '.join(ITEMS)}.")
        try:
            amount = Decimal(str(raw["amount"])) / Decimal(str(raw.get("per", 1)))
            body = {
                "task": "*",
                "at": f"{raw['since']}T00:00:00Z",
                "item": item,
                "unit": ITEMS[item],
                "amount": str(amount.normalize()),
                "currency": self.currency,
                "source": raw["source"],
                "since": str(raw["since"]),
            }
            return Price.model_validate({"id": content_id(body), **body})
        except (ArithmeticError, KeyError, TypeError, ValidationError) as error:
            raise InputError(
                f"{path}: prices.{item!r} needs amount, source and since (a date), "
                'and may have per, as in { amount = "15", per = 1000000, source = "...", '
                "since = 2026-01-01 }."
            ) from error
