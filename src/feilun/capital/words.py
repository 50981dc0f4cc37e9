"""How the report speaks: the house's words, with its own sentences and large amounts."""

from feilun.capital.catalogue import CATALOGUE
from feilun.page import words

_LARGE = {"en": ((1e9, "bn"), (1e6, "M"), (1e3, "k")), "zh": ((1e8, "亿"), (1e4, "万"))}


class Words(words.Words):
    """One language of the report. Raises InputError for a language that it does not speak."""

    def __init__(self, language: str, currency: str) -> None:
        super().__init__(language, CATALOGUE)
        self.currency = currency

    def amount(self, value: float) -> str:
        """¥3.6M, ¥360万: three digits. Small amounts as they are."""
        sign = "-" if value < 0 else ""
        for size, name in _LARGE[self.language]:
            if abs(value) >= 0.9995 * size:
                figure = (
                    f"{abs(value) / size:.3g}"
                    if abs(value) < 1e3 * size
                    else (f"{abs(value) / size:,.0f}")
                )
                return sign + self.money(0, self.currency).removesuffix("0.00") + figure + name
        return sign + self.money(abs(value), self.currency)

    def months(self, value: float | None, horizon: int) -> str:
        """22.2, or beyond the horizon."""
        if value is None or value >= horizon:
            return self("beyond", horizon=str(horizon))
        return f"{value:.1f}"
