"""Where a budget goes: over buckets with diminishing returns and over staged bets.

Most value today, such that the company lasts so many months with so much probability.
Without that promise the best split is known in closed form: money flows to the highest
marginal value until all are alike (the Kuhn-Tucker conditions of a concave separable
problem). The promise is a share of drawn futures and no smooth function, so for each set of
bets the best split of each total is tried, and the best that keeps the promise is bettered by
small moves that keep it. The promise is checked again on futures that chose nothing.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from feilun.capital import bets
from feilun.capital.bets import Worth
from feilun.capital.company import Allocation, Bucket, Company
from feilun.capital.flows import Paths, stream

TOTALS = 25  # splits that are tried between nothing and the whole budget
_MOVES = (0.04, 0.01, 0.0025)  # of the budget


@dataclass(frozen=True)
class Share:
    """What a bucket gets, what that is worth today, and what one more unit would bring."""

    name: str
    amount: float
    worth: float
    marginal: float


@dataclass(frozen=True)
class Split:
    """An allocation. `net` is worth today less what is spent.

    `held` says whether the promise is kept; `chosen_at` is its probability on the futures
    that chose, `probability` on fresh ones.
    """

    budget: float
    shares: tuple[Share, ...]
    bets: tuple[str, ...]
    spent: float
    net: float
    held: bool
    chosen_at: float
    probability: float
    paths: Paths


class Room:
    """The futures of a company, to which spending is added: an allocation may be tried in it."""

    def __init__(
        self, company: Company, found: Mapping[str, Worth], paths: Paths, seed: int
    ) -> None:
        self._company, self._paths = company, paths
        self._buckets = company.allocation.buckets if company.allocation else ()
        draws = len(paths)
        self._bets = {
            bet.name: np.cumsum(
                bets.money(bet, found[bet.name], seed, company.horizon, draws), axis=1
            )
            for bet in company.bet
        }
        self._luck = {
            bucket.name: _luck(bucket, stream(seed, f"bucket.{bucket.name}"), draws)
            for bucket in self._buckets
        }

    def cash(self, amounts: Sequence[float], chosen: Sequence[str], months: int) -> Paths:
        """Cash by month, after an allocation."""
        paths: Paths = self._paths[:, :months] - sum(amounts)
        for bucket, amount in zip(self._buckets, amounts, strict=True):
            if amount > 0:
                back = returns(bucket, amount) * _ramp(bucket, self._company.horizon)[:months]
                paths = paths + self._luck[bucket.name] * back
        for name in chosen:
            paths = paths + self._bets[name][:, :months]
        return paths

    def probability(self, amounts: Sequence[float], chosen: Sequence[str], months: int) -> float:
        """That the company lasts so long."""
        paths = self.cash(amounts, chosen, min(months, self._company.horizon))
        return float(np.mean(paths.min(axis=1) >= 0))


def returns(bucket: Bucket, amount: float) -> float:
    """What an amount brings in all, undiscounted."""
    return bucket.most * -math.expm1(-amount / bucket.scale)


def allocate(
    company: Company,
    plan: Allocation,
    found: Mapping[str, Worth],
    room: Room,
    fresh: Room,
    budget: float,
) -> Split:
    """The best split of a budget. Where nothing keeps the promise, what breaks it least."""
    tried = [
        _tried(company, plan, found, room, amounts, chosen)
        for chosen in _sets(company, budget)
        for amounts in _levels(company, plan, budget - _first_costs(company, chosen))
    ]
    best = max(tried, key=lambda each: (each.held, each.net if each.held else each.probability))
    if best.held:
        best = _improved(company, plan, found, room, best, budget)
    return _split(company, plan, fresh, room, best, budget)


@dataclass(frozen=True)
class _Tried:
    amounts: tuple[float, ...]
    bets: tuple[str, ...]
    net: float
    probability: float
    held: bool


def _tried(
    company: Company,
    plan: Allocation,
    found: Mapping[str, Worth],
    room: Room,
    amounts: Sequence[float],
    chosen: tuple[str, ...],
) -> _Tried:
    net = sum(found[name].value.mean for name in chosen)
    net += sum(
        _today(company, bucket) * returns(bucket, amount) - amount
        for bucket, amount in zip(plan.buckets, amounts, strict=True)
    )
    odds = room.probability(amounts, chosen, plan.months)
    return _Tried(tuple(amounts), chosen, net, odds, odds >= plan.probability)


def _improved(
    company: Company,
    plan: Allocation,
    found: Mapping[str, Worth],
    room: Room,
    best: _Tried,
    budget: float,
) -> _Tried:
    """Move money between buckets, in or out, while that brings more and keeps the promise."""
    most = budget - _first_costs(company, best.bets)
    for size in _MOVES:
        for _ in range(TOTALS):
            near = (
                _tried(company, plan, found, room, amounts, best.bets)
                for amounts in _moves(best.amounts, size * budget, most)
            )
            fit = [each for each in near if each.held and each.net > best.net]
            if not fit:
                break
            best = max(fit, key=lambda each: each.net)
    return best


def _moves(amounts: tuple[float, ...], size: float, most: float) -> Iterator[tuple[float, ...]]:
    """All splits that are one move away: from a bucket or the bank, to a bucket or the bank."""
    bank = len(amounts)
    for source, target in permutations(range(bank + 1), 2):
        moved = [*amounts, most - sum(amounts)]
        moved[source] -= size
        moved[target] += size
        if moved[source] >= 0:
            yield tuple(moved[:bank])


def _split(
    company: Company, plan: Allocation, fresh: Room, room: Room, best: _Tried, budget: float
) -> Split:
    shares = tuple(
        Share(
            name=bucket.name,
            amount=amount,
            worth=_today(company, bucket) * returns(bucket, amount),
            marginal=_rate(company, bucket) * math.exp(-amount / bucket.scale),
        )
        for bucket, amount in zip(plan.buckets, best.amounts, strict=True)
    )
    return Split(
        budget=budget,
        shares=shares,
        bets=best.bets,
        spent=sum(best.amounts) + _first_costs(company, best.bets),
        net=best.net,
        held=best.held,
        chosen_at=best.probability,
        probability=fresh.probability(best.amounts, best.bets, plan.months),
        paths=room.cash(best.amounts, best.bets, company.horizon),
    )


def _levels(company: Company, plan: Allocation, most: float) -> list[list[float]]:
    """The best split of each total, as far as money is left."""
    return [_level(company, plan.buckets, most * n / TOTALS) for n in range(TOTALS + 1)]


def _level(company: Company, buckets: Sequence[Bucket], total: float) -> list[float]:
    """The split of a total with equal marginal values; less than the total where that is best."""
    rates = [_rate(company, bucket) for bucket in buckets]

    def at(price: float) -> list[float]:
        return [
            bucket.scale * math.log(rate / price) if rate > price else 0.0
            for bucket, rate in zip(buckets, rates, strict=True)
        ]

    if sum(at(1.0)) <= total:
        return at(1.0)
    low, high = 1.0, max(rates)
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if sum(at(middle)) > total else (low, middle)
    return at(high)


def _today(company: Company, bucket: Bucket) -> float:
    """What a unit of a bucket's returns is worth today: they come in months after..after+over."""
    months = [bucket.after + number + 1 for number in range(bucket.over)]
    return sum(math.exp(-company.discount * month / 12) for month in months) / bucket.over


def _rate(company: Company, bucket: Bucket) -> float:
    """What the first unit of money brings."""
    return _today(company, bucket) * bucket.most / bucket.scale


def _sets(company: Company, budget: float) -> Iterator[tuple[str, ...]]:
    """Sets of bets whose first stages the budget pays for."""
    names = [bet.name for bet in company.bet]
    for size in range(len(names) + 1):
        for chosen in combinations(names, size):
            if _first_costs(company, chosen) <= budget:
                yield chosen


def _first_costs(company: Company, chosen: Sequence[str]) -> float:
    return sum(bet.stages[0].cost for bet in company.bet if bet.name in chosen)


def _ramp(bucket: Bucket, horizon: int) -> Paths:
    """The share of a bucket's returns that has come by the end of each month."""
    months = np.arange(1, horizon + 1)
    return np.clip((months - bucket.after) / bucket.over, 0, 1)


def _luck(bucket: Bucket, chance: np.random.Generator, draws: int) -> Paths:
    """How the returns turn out: lognormal around what is declared."""
    spread = bucket.volatility
    return np.exp(chance.normal(-(spread**2) / 2, spread, (draws, 1)))
