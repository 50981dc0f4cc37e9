"""Months of runway as a distribution: when, in each drawn future, cash ends."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feilun.capital.flows import Part, Paths

LASTS = (6, 12, 18, 24)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_Z = 1.96


@dataclass(frozen=True)
class Quantile:
    """A quantile of the runway, in months. None: beyond the horizon.

    `low` and `high` are its Monte Carlo interval at 95 %: order statistics, by the binomial.
    """

    share: float
    months: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Lasts:
    """The probability of lasting so many months, with its Monte Carlo interval at 95 %."""

    months: int
    probability: float
    low: float
    high: float


@dataclass(frozen=True)
class Runway:
    """The distribution of the runway, and the fan of cash: rows of QUANTILES, a column a month."""

    horizon: int
    draws: int
    quantiles: tuple[Quantile, ...]
    lasts: tuple[Lasts, ...]
    fan: NDArray[np.float64]

    @property
    def median(self) -> float | None:
        """Half of all futures last longer."""
        return next(each.months for each in self.quantiles if each.share == 0.5)


def balance(cash: float, parts: Iterable[Part], shape: tuple[int, int]) -> Paths:
    """Cash at the end of each month."""
    flows = np.zeros(shape)
    for part in parts:
        flows += part.money
    return cash + np.cumsum(flows, axis=1)


def ends(cash: float, paths: Paths) -> NDArray[np.float64]:
    """When cash ends in each future, in months; infinity where it lasts beyond the horizon.

    Within a month money is taken to flow evenly. What comes later does not revive.
    """
    below = paths < 0
    dead = below.any(axis=1)
    at = below.argmax(axis=1)
    rows = np.arange(len(paths))
    before = np.where(at == 0, cash, paths[rows, np.maximum(at - 1, 0)])
    after = paths[rows, at]
    gone = np.where(dead, before - after, 1.0)
    within = np.where(dead, np.maximum(before, 0) / np.where(gone > 0, gone, 1.0), 0.0)
    return np.where(dead, at + within, np.inf)


def runway(cash: float, paths: Paths) -> Runway:
    """The distribution of what was drawn."""
    months = np.sort(ends(cash, paths))
    horizon = paths.shape[1]
    fan = np.quantile(paths, QUANTILES, axis=0)
    now = np.full((len(QUANTILES), 1), cash)
    return Runway(
        horizon=horizon,
        draws=len(months),
        quantiles=tuple(quantile(months, share) for share in QUANTILES),
        lasts=tuple(lasts(months, least) for least in LASTS if least <= horizon),
        fan=np.hstack([now, fan]),
    )


def quantile(months: NDArray[np.float64], share: float) -> Quantile:
    """A quantile of sorted runways."""
    count = len(months)
    wide = _Z * math.sqrt(count * share * (1 - share))
    at = (count * share, count * share - wide, count * share + wide)
    found = (months[min(max(math.ceil(each) - 1, 0), count - 1)] for each in at)
    middle, low, high = (float(each) if math.isfinite(each) else None for each in found)
    return Quantile(share, middle, low, high)


def lasts(months: NDArray[np.float64], least: int) -> Lasts:
    """The share of futures that last, with the interval of Wilson (1927): good at 0 and 1 too."""
    count, share = len(months), float(np.mean(months >= least))
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    wide = (
        _Z / (1 + _Z**2 / count)
        * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    )  # fmt: skip
    return Lasts(least, share, max(0.0, middle - wide), min(1.0, middle + wide))
