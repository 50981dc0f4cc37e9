"""How a report speaks: sentences from its catalogue, figures as the language writes them."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from feilun.errors import InputError

LANGUAGES = ("en", "zh")

_SPACE = "\u00a0"  # a figure and its unit stay on one line
_SYMBOLS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


Catalogue: TypeAlias = Mapping[str, tuple[str, str]]
"""Sentences by key, in each of `LANGUAGES`; places stand in braces."""

_COMMON: Catalogue = {
    "brand": ("Feilun 飞轮", "飞轮 Feilun"),
    "to": ("{low} to {high}", "{low} 至 {high}"),
    "unknown": ("unknown", "未知"),
    "seconds": ("{figure}\u00a0s", "{figure} 秒"),
    "milliseconds": ("{figure}\u00a0ms", "{figure} 毫秒"),
}


class Words:
    """One language. Calling it gives a sentence of the catalogue with its places filled.

    Raises InputError for a language that is not one of `LANGUAGES`.
    """

    def __init__(self, language: str, catalogue: Catalogue) -> None:
        if language not in LANGUAGES:
            raise InputError(f"There is no report in {language!r}. Choose one of: en, zh.")
        self.language = language
        self._sentences = {**_COMMON, **catalogue}
        self._column = LANGUAGES.index(language)
        self._space = "" if language == "zh" else _SPACE

    def __call__(self, key: str, /, **places: str) -> str:
        """The sentence under `key`. Raises KeyError for a key or a place that is missing."""
        return self._sentences[key][self._column].format(**places)

    @property
    def tag(self) -> str:
        """The language as HTML names it."""
        return "zh-Hans" if self.language == "zh" else "en"

    def percent(self, share: float, digits: int = 0) -> str:
        """41 %, 3.4 %: without `digits`, a small share keeps one decimal."""
        if not digits and 0 < share < 0.1 and share * 100 % 1 > 1e-9:
            digits = 1
        return f"{100 * share:.{digits}f}{self._space}%"

    def interval(self, low: float, high: float, digits: int = 1) -> str:
        """38.1 to 45.0 %."""
        ends = f"{100 * low:.{digits}f}", self.percent(high, digits)
        return self("to", low=ends[0], high=ends[1])

    def number(self, value: float) -> str:
        """1,204: whole, with separators."""
        return f"{value:,.0f}"

    def money(self, amount: Decimal | float | None, currency: str) -> str:
        """¥12.06; below one, three digits that say something."""
        if amount is None:
            return self("unknown")
        value = float(amount)
        figure = f"{value:,.2f}" if value == 0 or abs(value) >= 1 else f"{value:.3g}"
        symbol = _SYMBOLS.get(currency, currency + _SPACE)
        return f"{symbol}{figure}"

    def seconds(self, value: float) -> str:
        """0.80 s, or milliseconds below a tenth."""
        if value >= 0.1:
            return self("seconds", figure=f"{value:.2f}")
        milliseconds = 1000 * value
        return self("milliseconds", figure=f"{milliseconds:.{0 if milliseconds >= 10 else 1}f}")

    def size(self, count: int) -> str:
        """1.2 MB, 640 kB."""
        if count < 995_000:
            return f"{max(1, round(count / 1000))}{_SPACE}kB"
        return f"{count / 1e6:.2g}{_SPACE}MB" if count < 9.95e6 else f"{count / 1e6:.0f}{_SPACE}MB"

    def day(self, when: date) -> str:
        """9 Mar, 3月9日."""
        if self.language == "zh":
            return f"{when.month}月{when.day}日"
        return f"{when.day}{_SPACE}{_MONTHS[when.month - 1]}"

    def days(self, first: date, last: date) -> str:
        """From day to day."""
        dash = "至" if self.language == "zh" else " – "
        return f"{self.day(first)}{dash}{self.day(last)}"

    def dates(self, first: date, last: date) -> str:
        """From day to day, with the year of the last."""
        days = self.days(first, last)
        return f"{last.year}年{days}" if self.language == "zh" else f"{days} {last.year}"

    def list(self, things: Iterable[str]) -> str:
        """A, B, C."""
        return ("、" if self.language == "zh" else ", ").join(things)
