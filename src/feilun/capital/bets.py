"""A staged bet: each stage is paid for the right to decide about the next (Geske 1979).

The state is the estimate of the value at the end. As estimates of one thing go it has no
drift: news moves it up as much as down, by `volatility` a year. At the start of each stage
one sees it, and goes on only where that is worth more than to stop and keep the salvage.
Where that tips is the decision rule. A stage may also fail, whatever the estimate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from feilun.capital.company import Bet
from feilun.capital.flows import DRAWS, Paths, stream
from feilun.capital.options import Estimate, Values, fitted, mean_of_pairs, spline, walks

PATHS = 40_000
_KNOTS = (0.02, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.98)
_GRID = 2_000


@dataclass(frozen=True)
class Rule:
    """Go on with a stage where the estimate of the end's value is at least this.

    `least` is 0 where one always goes on, and None where one never does. `reached` is the
    chance that the stage is begun.
    """

    stage: str
    month: int
    cost: float
    least: float | None
    reached: float


@dataclass(frozen=True)
class Worth:
    """What a bet is worth today after its costs, by its rules, and without the right to stop.

    `scale_from` is the estimate from which on the end's value is scaled.
    """

    name: str
    value: Estimate
    blind: Estimate
    rules: tuple[Rule, ...]
    scale_from: float | None

    @property
    def option(self) -> float:
        """What the right to stop is worth."""
        return self.value.mean - self.blind.mean


def worth(bet: Bet, discount: float, seed: int) -> Worth:
    """Value a bet and find its rules. `discount` is a year's rate, compounded continuously."""
    learnt = _estimates(bet, PATHS, seed * 2 + 1)
    least = _learn(bet, learnt, discount)
    paths = _estimates(bet, PATHS, seed * 2 + 2)  # others than those it was learnt from
    value, reached = _follow(bet, paths, least, discount)
    blind, _ = _follow(bet, paths, [0.0] * len(bet.stages), discount)
    news = paths[:, -1] - bet.value
    rules = zip(bet.stages, _begins(bet), least, reached, strict=True)
    return Worth(
        name=bet.name,
        value=mean_of_pairs(value, news),
        blind=mean_of_pairs(blind, news),
        rules=tuple(
            Rule(stage.name, month, stage.cost, at if math.isfinite(at) else None, share)
            for stage, month, at, share in rules
        ),
        scale_from=_scale_from(bet),
    )


def money(bet: Bet, found: Worth, seed: int, horizon: int, draws: int = DRAWS) -> Paths:
    """What the bet takes and brings by month and future, when one keeps to its rules."""
    chance = stream(seed, f"bet.{bet.name}")
    paths = _estimates(bet, draws, int(chance.integers(2**31)))
    flows = np.zeros((draws, horizon + 1))  # the last column is what lies beyond
    going = np.ones(draws, dtype=bool)
    for number, (stage, rule) in enumerate(zip(bet.stages, found.rules, strict=True)):
        on = going & (paths[:, number] >= (math.inf if rule.least is None else rule.least))
        flows[going & ~on, min(rule.month, horizon)] += bet.salvage
        flows[on, min(rule.month, horizon)] -= stage.cost
        passed = chance.random(draws) < stage.success
        flows[on & ~passed, min(rule.month + stage.months, horizon)] += bet.salvage
        going = on & passed
    if bet.in_cash:
        flows[going, min(bet.months, horizon)] += _final(bet)(paths[going, -1])
    return flows[:, :horizon]


def _begins(bet: Bet) -> list[int]:
    """In which month each stage begins."""
    months = [stage.months for stage in bet.stages]
    return [sum(months[:number]) for number in range(len(months))]


def _estimates(bet: Bet, draws: int, seed: int) -> Values:
    """The estimate at the start of each stage and at the end."""
    times = [month / 12 for month in (*_begins(bet), bet.months)]
    return walks(bet.value, 0.0, bet.volatility, times, draws, seed)


def _final(bet: Bet) -> Callable[[Values], Values]:
    scale = bet.scale
    if scale is None:
        return lambda value: value
    return lambda value: np.maximum(value, scale.factor * value - scale.cost)


def _scale_from(bet: Bet) -> float | None:
    if bet.scale is None or bet.scale.factor <= 1:
        return None
    return bet.scale.cost / (bet.scale.factor - 1)


def _learn(bet: Bet, paths: Values, discount: float) -> list[float]:
    """From which estimate on each stage is begun: the last is known first."""
    least: list[float] = []
    brought = _final(bet)(paths[:, -1])
    for number in range(len(bet.stages) - 1, -1, -1):
        stage, state = bet.stages[number], paths[:, number]
        later = math.exp(-discount * stage.months / 12)
        brought = later * (stage.success * brought + (1 - stage.success) * bet.salvage) - stage.cost
        at = _tips(state, brought, paths[:, number + 1 :], bet.salvage)
        least.append(at)
        brought = np.where(state >= at, brought, bet.salvage)
    return least[::-1]


def _tips(state: Values, brought: Values, later: Values, salvage: float) -> float:
    """The least estimate from which on going on is worth at least the salvage.

    Estimates have no drift, so what later ones differ by is news that nobody can know.
    Everything is taken per unit of the estimate: else the few largest would decide.
    """
    if np.ptp(state) <= 1e-9 * state[0]:  # now: one estimate, and the choice is whether to begin
        return 0.0 if brought.mean() >= salvage else math.inf
    knots = spline(np.quantile(state, _KNOTS))
    up = later / state[:, None] - 1
    news = np.hstack([up, up * (state > np.median(state))[:, None]])
    worth = fitted(lambda at: knots(at) / at[:, None], state, brought / state, news)
    grid = np.quantile(state, np.linspace(0.0005, 0.9995, _GRID))
    short = worth(grid) * grid < salvage
    if not short.any():
        return 0.0
    last = int(np.flatnonzero(short)[-1])
    return float(grid[last + 1]) if last + 1 < _GRID else math.inf


def _follow(
    bet: Bet, paths: Values, least: list[float], discount: float
) -> tuple[Values, list[float]]:
    """What the rules bring today on each path, in the mean over failures; how far they come."""
    got = np.zeros(len(paths))
    odds = np.ones(len(paths))  # that the bet still runs
    reached = []
    for number, stage in enumerate(bet.stages):
        now = math.exp(-discount * _begins(bet)[number] / 12)
        on = paths[:, number] >= least[number]
        got += now * np.where(on, -odds * stage.cost, odds * bet.salvage)
        odds = np.where(on, odds, 0.0)
        reached.append(float(odds.mean()))
        end = math.exp(-discount * (_begins(bet)[number] + stage.months) / 12)
        got += end * odds * (1 - stage.success) * bet.salvage
        odds = odds * stage.success
    end = math.exp(-discount * bet.months / 12)
    return got + end * odds * _final(bet)(paths[:, -1]), reached
