"""A book of prices in TOML. Each price says where it comes from and since when."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from feilun.errors import InputError
from feilun.records import Json, Price, content_id

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

MODEL_ITEMS = {
    "input_token": "token",
    "cached_token": "token",
    "output_token": "token",
    "second": "second",
}
"""What a model of one's own price may cost: its items are called `model:<name>:<this>`."""


def unit_of(item: str) -> str | None:
    """The unit in which an item is counted; None for what is no item. Names may have colons."""
    owner, _, what = item.rpartition(":")
    if owner.startswith("model:") and owner != "model:":
        return MODEL_ITEMS.get(what)
    return ITEMS.get(item)


class TomlBook:
    """Prices from a TOML file: `currency`, `[prices]` by item, `[models.NAME]` by model.

    An entry has amount, per, source and since; a list of entries is one item's history, of
    which the newest that is in force counts. Raises InputError for a file that is not such
    a book. An item that the file does not name has no price: it is unknown.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: is not TOML in UTF-8: {error}.") from error
        self._currency = raw.get("currency")
        if not isinstance(self._currency, str) or not re.fullmatch("[A-Z]{3}", self._currency):
            raise InputError(f'{path}: write the currency first, as in currency = "CNY".')
        self._prices = {
            item: self._history(place, item, entry) for place, item, entry in self._entries(raw)
        }

    @property
    def currency(self) -> str:
        """The one currency of this book, in ISO 4217 letters."""
        return str(self._currency)

    def items(self) -> Sequence[str]:
        """The items that have a price, now or on some day to come."""
        return list(self._prices)

    def price(self, item: str, at: datetime) -> Price | None:
        """The price of an item in force at a moment, or None where it is unknown."""
        day = at.date()
        return next((p for p in self._prices.get(item, ()) if p.since <= day), None)

    def _entries(self, raw: dict[str, Json]) -> Iterator[tuple[str, str, Json]]:
        """Each item, where it stands in the file, and what stands there."""
        for item, entry in self._table(raw, "prices").items():
            if item not in ITEMS:
                raise InputError(f"{self._path}: unknown item {item!r}. Items: {', '.join(ITEMS)}.")
            yield f"prices.{item!r}", item, entry
        models = self._table(raw, "models")
        for name in models:
            for what, entry in self._table(models, name, "models.").items():
                if what not in MODEL_ITEMS:
                    raise InputError(
                        f"{self._path}: models.{name!r}: unknown item {what!r}. "
                        f"Items: {', '.join(MODEL_ITEMS)}."
                    )
                yield f"models.{name!r}.{what}", f"model:{name}:{what}", entry

    def _table(self, raw: dict[str, Json], name: str, of: str = "") -> dict[str, Json]:
        table = raw.get(name, {})
        if not isinstance(table, dict):
            raise InputError(
                f"{self._path}: {of}{name} must be a table, [{of}{name}], with a row per item."
            )
        return table

    def _history(self, place: str, item: str, entry: Json) -> tuple[Price, ...]:
        """The prices of one item, the newest first."""
        entries = entry if isinstance(entry, list) else [entry]
        prices = [self._read(place, item, each) for each in entries]
        if len({price.since for price in prices}) < len(prices):
            raise InputError(f"{self._path}: {place} has two prices since one day. Keep one.")
        return tuple(sorted(prices, key=lambda price: price.since, reverse=True))

    def _read(self, place: str, item: str, raw: Json) -> Price:
        try:
            amount = Decimal(str(raw["amount"])) / Decimal(str(raw.get("per", 1)))
            body = {
                "task": "*",
                "at": f"{raw['since']}T00:00:00Z",
                "item": item,
                "unit": unit_of(item),
                "amount": str(amount.normalize()),
                "currency": self.currency,
                "source": raw["source"],
                "since": str(raw["since"]),
            }
            return Price.model_validate({"id": content_id(body), **body})
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValidationError) as error:
            raise InputError(
                f"{self._path}: {place} needs amount, source and since (a date), "
                'and may have per, as in { amount = "15", per = 1000000, source = "...", '
                "since = 2026-01-01 }."
            ) from error
