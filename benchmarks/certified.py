"""Certificates of one trained student on one pool of judged inputs, many times over.

The pool is taken as the whole population: calibration sets are drawn from it with
replacement, so the true served error of a threshold is known exactly, and how often a
certificate is wrong can be counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feilun.certify import interval, look, plan
from feilun.records import Expected

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Replays:
    """Outcomes of many looks at fresh draws from the pool."""

    coverage: list[float]
    error: list[float]  # true served error of each certificate
    refused: int
    broken: int  # certificates whose true served error is above the line

    def share_broken(self) -> str:
        given = len(self.error)
        low, high = interval(self.broken, given + self.refused)
        return f"{self.broken} of {given + self.refused} ({low:.1%} to {high:.1%})"

    def histogram(self, line: float) -> str:
        """True served errors in tenths of the line; the last column is above it."""
        edges = [line * step / 10 for step in range(11)] + [1.0]
        counts, _ = np.histogram(self.error, edges)
        return " ".join(
            f"{'>' if n == 10 else '≤'}{edges[n if n == 10 else n + 1]:.3f}:{count}"
            for n, count in enumerate(counts)
        )


def replay(
    confidences: Floats,
    losses: Floats,
    expected: Sequence[Expected],
    *,
    line: float,
    delta: float,
    audits: int,
    replays: int,
) -> Replays:
    found: list[tuple[float, float]] = []
    for seed in range(replays):
        draw = np.random.default_rng(seed).integers(0, len(losses), audits)
        first = plan(expected, audits, line, delta).first
        seen = look(confidences[draw], losses[draw], line, delta, max(first, 1))
        if seen.threshold is not None:
            kept = confidences >= seen.threshold
            found.append((float(kept.mean()), float(losses[kept].mean())))
    errors = [error for _, error in found]
    return Replays(
        coverage=[coverage for coverage, _ in found],
        error=errors,
        refused=replays - len(found),
        broken=sum(error > line for error in errors),
    )


def silence(losses: Floats, corrects: float, rate: float, replays: int) -> tuple[Floats, Floats]:
    """Two readings of the same served answers: silence taken as consent, and audits.

    Returns estimates of the error, shape (replays,) each: the share of answers that people
    corrected, and the share of wrong ones among those drawn for an audit.
    """
    corrected, audited = np.zeros(replays), np.zeros(replays)
    for seed in range(replays):
        chance = np.random.default_rng(seed)
        served = losses[chance.integers(0, len(losses), 3000)]
        corrected[seed] = np.mean(served * (chance.random(3000) < corrects))
        audited[seed] = np.mean(served[chance.random(3000) < rate])
    return corrected, audited
