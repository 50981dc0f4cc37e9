"""Is the candidate worse, or better? Evidence that may be looked at after every audit.

On each audited call that both would have served, d is the candidate's loss less the
incumbent's, in [-1, 1]. Were E d <= m, then whoever bets a share u of their wealth on "more
than m" has, on average, never more than they began with: a round multiplies it by
1 + u ((1 + d) / (1 + m) - 1) >= 0. By Ville's inequality it ever reaches 2 / alpha with
probability at most alpha / 2, whenever one looks. The bets are a fixed mixture over u
(Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting",
JRSS B 86, grid Kelly; a mixture of martingales is one). The same bet on "less than m" is the
other half. All m that neither bet has ruined make the confidence sequence, and because
wealth falls, or rises, with m, it is an interval.

The mixture is fixed, so the wealth does not depend on the order of the audits: it is made
again from counts. A call that was drawn more often than the rest of the traffic weighs
w = common rate / its rate <= 1, and bets w u, which keeps the mean in question that of the
traffic.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05

# The best bet is about mean / variance of what is bet on. It is unknown, so 24 of them
# from 1 % to 99 % share the stake: one is within a factor of 1.11 of the best, at a price of
# ln 24 in the logarithm of the wealth.
_BETS = np.geomspace(0.01, 0.99, 24)
_HALVINGS = 40
_MOST = 700.0  # of a logarithm

Floats = NDArray[np.float64]
Seen = Mapping[tuple[float, float], int]
"""How many audited pairs had this difference and this weight."""


class Shown(StrEnum):
    """What the evidence shows so far."""

    WORSE = "worse"  # the candidate loses more than the incumbent
    BETTER = "better"  # it loses less
    OPEN = "open"  # no difference is shown yet, which does not show that there is none


@dataclass(frozen=True)
class Evidence:
    """The mean difference of the losses, candidate less incumbent.

    `low` and `high` hold it with probability 1 - `ALPHA`, at all times together. `worse`
    and `better` are the wealth of the two bets; at 2 / `ALPHA` the difference is shown.
    """

    pairs: int
    difference: float | None
    low: float
    high: float
    worse: float
    better: float

    @property
    def shown(self) -> Shown:
        """Whether a difference has been shown."""
        return _shown(self.worse, self.better)


def weigh(seen: Seen) -> Evidence:
    """The evidence of pairs, counted by their difference and their weight."""
    difference, weight, count = _columns(seen)
    total = float((weight * count).sum())
    worse, better = _wealths(difference, weight, count)
    return Evidence(
        pairs=int(count.sum()),
        difference=float((weight * count * difference).sum()) / total if total else None,
        low=_bound(difference, weight, count),
        high=-_bound(-difference, weight, count),
        worse=worse,
        better=better,
    )


def shown(seen: Seen) -> Shown:
    """Whether pairs show a difference, without its size: a fortieth of the work."""
    return _shown(*_wealths(*_columns(seen)))


def _shown(worse: float, better: float) -> Shown:
    if worse >= 2 / ALPHA:
        return Shown.WORSE
    return Shown.BETTER if better >= 2 / ALPHA else Shown.OPEN


def _columns(seen: Seen) -> tuple[Floats, Floats, Floats]:
    """Differences, weights and counts."""
    rows = np.array([(d, w, n) for (d, w), n in seen.items() if n], dtype=np.float64).reshape(-1, 3)
    return rows[:, 0], rows[:, 1], rows[:, 2]


def _wealths(difference: Floats, weight: Floats, count: Floats) -> tuple[float, float]:
    """What the bets on worse and on better have made of one each; capped where floats end."""
    worse, better = (_wealth(side * difference, weight, count, 0.0) for side in (1, -1))
    return math.exp(min(worse, _MOST)), math.exp(min(better, _MOST))


def _wealth(difference: Floats, weight: Floats, count: Floats, m: float) -> float:
    """The logarithm of the wealth of who bets that the mean is above m."""
    over = (1 + difference) / (1 + m) - 1
    logs = np.log1p(_BETS[:, None] * (weight * over)[None, :]) @ count
    most = float(logs.max())
    return most + math.log(float(np.exp(logs - most).mean()))


def _bound(difference: Floats, weight: Floats, count: Floats) -> float:
    """The lowest mean that the bet on more has not ruined; a little lower, never higher."""
    enough = math.log(2 / ALPHA)
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _wealth(difference, weight, count, middle) >= enough:
            low = middle
        else:
            high = middle
    return low
