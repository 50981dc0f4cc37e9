"""The right to stop, valued by least-squares Monte Carlo.

Longstaff & Schwartz, Valuing American Options by Simulation (Review of Financial Studies 14,
2001): go back in time; regress what going on brought, along each path, on functions of the
state; stop where stopping is worth more than the regression says. The rule is learnt on one
set of paths and valued on another, so the value is that of a rule one can follow: it lies
below the true one, never above it but by chance.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Basis: TypeAlias = Callable[[Values], Values]
"""Functions of the state: a column for each."""


@dataclass(frozen=True)
class Estimate:
    """A mean over drawn paths and its standard error."""

    mean: float
    error: float


def walks(
    start: float, drift: float, volatility: float, times: Sequence[float], draws: int, seed: int
) -> Values:
    """Geometric Brownian motion at some times: a row a path, each with its mirror image."""
    steps = np.diff(np.array([0.0, *times]))
    chance = np.random.default_rng(seed)
    half = chance.standard_normal((draws // 2, len(steps)))
    normal = np.vstack([half, -half])
    logs = (drift - volatility**2 / 2) * steps + volatility * np.sqrt(steps) * normal
    return start * np.exp(np.cumsum(logs, axis=1))


def mean_of_pairs(values: Values, news: Values | None = None) -> Estimate:
    """The mean of paths with their mirror images; a pair is one draw.

    `news` has a mean of zero and serves as a control variate: what it explains is no error.
    """
    pairs = values.reshape(2, -1).mean(axis=0)
    if news is not None:
        known = news.reshape(2, -1).mean(axis=0)
        spread = float(known.var())
        pairs = pairs - (np.cov(pairs, known, ddof=0)[0, 1] / spread if spread else 0.0) * known
    return Estimate(float(pairs.mean()), float(pairs.std(ddof=1) / math.sqrt(len(pairs))))


def laguerre(scale: float) -> Basis:
    """One and the first three weighted Laguerre polynomials, as the paper takes them."""

    def basis(state: Values) -> Values:
        x = state / scale
        weight = np.exp(-x / 2)
        return np.column_stack(
            [np.ones_like(x), weight, weight * (1 - x), weight * (1 - 2 * x + x**2 / 2)]
        )

    return basis


def spline(knots: Values) -> Basis:
    """A line with bends at knots: it follows what is flat, then rises, and never swings."""

    def basis(state: Values) -> Values:
        bends = np.maximum(state[:, None] - knots, 0)
        return np.column_stack([np.ones_like(state), state, bends])

    return basis


def fitted(
    basis: Basis, state: Values, brought: Values, news: Values | None = None
) -> Callable[[Values], Values]:
    """What going on is worth by the state: the regression of what it brought.

    `news` are columns whose mean is zero whatever the state: they take chance out of what was
    brought, as control variates do, and are left out again.
    """
    columns = basis(state)
    known = columns if news is None else np.hstack([columns, news])
    weights, *_ = np.linalg.lstsq(known, brought, rcond=None)
    return lambda at: np.asarray(basis(at) @ weights[: columns.shape[1]])


def stopped(
    learn: Values, value: Values, payoff: Callable[[Values], Values], basis: Basis, step: float
) -> Estimate:
    """An option that may be exercised at each column of the paths, for `payoff` of the state.

    `step` discounts from one column to the one before it, and from the first to now.
    """
    rules: list[Callable[[Values], Values]] = []
    brought = payoff(learn[:, -1])
    for column in range(learn.shape[1] - 2, -1, -1):
        brought = brought * step
        now, state = payoff(learn[:, column]), learn[:, column]
        inside = now > 0  # only there is a choice to make
        worth = fitted(basis, state[inside], brought[inside]) if inside.any() else np.zeros_like
        rules.append(worth)
        stop = inside.copy()
        stop[inside] = now[inside] >= worth(state[inside])
        brought = np.where(stop, now, brought)
    return _follow(value, payoff, rules[::-1], step)


def _follow(
    paths: Values,
    payoff: Callable[[Values], Values],
    rules: Sequence[Callable[[Values], Values]],
    step: float,
) -> Estimate:
    """What a rule brings on paths that it was not learnt from."""
    got = np.zeros(len(paths))
    going = np.ones(len(paths), dtype=bool)
    for column in range(paths.shape[1]):
        now = payoff(paths[:, column])
        stop = going & (now > 0)
        if column < len(rules):
            stop[stop] = now[stop] >= rules[column](paths[stop, column])
        got[stop] = now[stop] * step ** (column + 1)
        going &= ~stop
    return mean_of_pairs(got)
