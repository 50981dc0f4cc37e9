"""An early warning that needs no labels: do calls still look like those before them?

A score is put on each call. While the calls are exchangeable the rank of a score among all
scores so far, ties broken by chance, is uniform and independent of the ranks before it
(Vovk, Gammerman and Shafer 2005, section 2). A bettor who gains when ranks are too high or
too low for long has a test martingale: the Simple Jumper of Vovk et al. 2021, "Retrain or
not retrain: conformal test martingales for change-point detection", here with starts at
all times, as in `eprocess.py`.

Scores are kept as counts of 1,024 bins: a coarser score is a score too, so the ranks stay
exact over any number of calls, and the memory does not grow.
"""

import hashlib
import math

import numpy as np

from feilun.watch.eprocess import waiting

_BINS = 1024
_JUMP = 0.01  # the share that moves between bettors at each step: the paper's
_SIDES = (-1.0, 0.0, 1.0)  # bets on high ranks, on nothing, on low ranks


class Exchangeability:
    """Evidence that scores in [0, 1] are no longer exchangeable. Takes the same room for ever."""

    __slots__ = ("_capital", "_counts", "_waiting", "seen")

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, dtype=np.int64)
        self._capital = [0.0] * len(_SIDES)
        self._waiting = 1.0
        self.seen = 0

    @property
    def evidence(self) -> float:
        """The value of the martingale: 1 at first."""
        return sum(self._capital) + self._waiting

    def step(self, score: float, chance: float) -> float:
        """Take one score, with a number in [0, 1) that breaks ties, and give the evidence."""
        return self.bet(self._rank(score, chance))

    def bet(self, rank: float) -> float:
        """Take one rank: uniform in [0, 1] while nothing has changed."""
        self.seen += 1
        still = waiting(self.seen)
        held = sum(self._capital)
        fresh = (self._waiting - still + _JUMP * held) / len(_SIDES)
        self._capital = [
            ((1 - _JUMP) * capital + fresh) * (1 + side * (rank - 0.5))
            for capital, side in zip(self._capital, _SIDES, strict=True)
        ]
        self._waiting = still
        return self.evidence

    def _rank(self, score: float, chance: float) -> float:
        """The share of scores that are higher, and of the equal ones, itself counted, a part."""
        at = min(int(score * _BINS), _BINS - 1)
        self._counts[at] += 1
        higher = int(self._counts[at + 1 :].sum())
        return (higher + chance * int(self._counts[at])) / (self.seen + 1)


def chance_of(call: str) -> float:
    """A number in [0, 1) that follows from a call's id and is independent of its audit."""
    raw = hashlib.blake2b(call.encode(), digest_size=8, person=b"feilun.drift").digest()
    return int.from_bytes(raw, "big") / math.ldexp(1, 64)
