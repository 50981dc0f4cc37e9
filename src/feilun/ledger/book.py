"""A book of prices in TOML. Each price says where it comes from and since when.

`tariffs.py` adds public prices beneath it where the book asks for them.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from feilun.errors import InputError
from feilun.ledger.tariffs import TARIFFS, converted
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
    "revenue:accepted": "result",
    "revenue:outcome": "value",
}

MODEL_ITEMS = {
    "input_token": "token",
    "cached_token": "token",
    "output_token": "token",
    "second": "second",
}
"""What a model of one's own price may cost: its items are called `model:<name>:<this>`."""

DEVICE_ITEMS = {"second": "second"}
"""What a device costs whether it works or not: `device:<name>:<this>`."""


def unit_of(item: str) -> str | None:
    """The unit in which an item is counted; None for what is no item. Names may have colons."""
    owner, _, what = item.rpartition(":")
    if owner.startswith("model:") and owner != "model:":
        return MODEL_ITEMS.get(what)
    if owner.startswith("device:") and owner != "device:":
        return DEVICE_ITEMS.get(what)
    if owner == "exchange":
        return what
    return ITEMS.get(item)


class TomlBook:
    """Prices from a TOML file: by item, by model, by device, and of other currencies.

    An entry has amount, per, source and since; a list of entries is one item's history, of
    which the newest that is in force counts. Raises InputError for a file that is not such
    a book. An item that the file does not name has no price: it is unknown. A book that says
    `tariffs = true` knows the public tariffs of the models that it does not name itself.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        raw = _toml(path)
        self._currency = raw.get("currency")
        if not isinstance(self._currency, str) or not re.fullmatch("[A-Z]{3}", self._currency):
            raise InputError(f'{path}: write the currency first, as in currency = "CNY".')
        self._prices = {
            item: self._history(place, item, entry) for place, item, entry in self._entries(raw)
        }
        if raw.get("tariffs", False) is not False:
            self._add_tariffs(raw["tariffs"])

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

    def history(self, item: str) -> Sequence[Price]:
        """All prices of an item, the newest first."""
        return self._prices.get(item, ())

    def _add_tariffs(self, said: Json) -> None:
        if said is not True:
            raise InputError(f"{self._path}: write tariffs = true, or leave it out.")
        public = TomlBook(TARIFFS)
        rates = self.history(f"exchange:{public.currency}")
        if public.currency != self.currency and not rates:
            raise InputError(
                f"{self._path}: the public tariffs are in {public.currency} and this book is in "
                f"{self.currency}. Say what a {public.currency} costs: [exchange] and "
                f'{public.currency} = {{ amount = "...", source = "...", since = 2026-01-01 }}.'
            )
        own = {item.rpartition(":")[0] for item in self._prices}
        for item in public.items():
            if item.rpartition(":")[0] not in own:  # who prices a model prices all of it
                prices = public.history(item)
                same = public.currency == self.currency
                self._prices[item] = tuple(prices) if same else converted(prices, rates)

    def _entries(self, raw: dict[str, Json]) -> Iterator[tuple[str, str, Json]]:
        """Each item, where it stands in the file, and what stands there."""
        for item, entry in self._table(raw, "prices").items():
            if item not in ITEMS:
                raise InputError(f"{self._path}: unknown item {item!r}. Items: {', '.join(ITEMS)}.")
            yield f"prices.{item!r}", item, entry
        yield from self._named(raw, "models", MODEL_ITEMS)
        yield from self._named(raw, "devices", DEVICE_ITEMS)
        for currency, entry in self._table(raw, "exchange").items():
            if not re.fullmatch("[A-Z]{3}", currency) or currency == self.currency:
                raise InputError(
                    f"{self._path}: exchange.{currency} is no other currency than {self.currency}: "
                    "write three letters of ISO 4217."
                )
            yield f"exchange.{currency}", f"exchange:{currency}", entry

    def _named(
        self, raw: dict[str, Json], table: str, items: Mapping[str, str]
    ) -> Iterator[tuple[str, str, Json]]:
        """The entries of a table of tables: `[models."wise:8b"]` and its items."""
        names = self._table(raw, table)
        for name in names:
            for what, entry in self._table(names, name, f"{table}.").items():
                if what not in items:
                    raise InputError(
                        f"{self._path}: {table}.{name!r}: unknown item {what!r}. "
                        f"Items: {', '.join(items)}."
                    )
                yield f"{table}.{name!r}.{what}", f"{table[:-1]}:{name}:{what}", entry

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


def _toml(path: Path) -> dict[str, Json]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not TOML in UTF-8: {error}.") from error
