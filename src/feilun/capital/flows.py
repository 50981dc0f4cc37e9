"""Each table of the file as money by month, in many drawn futures.

A table draws from a stream of its own, made of the seed and its name. So a table that is
dropped or changed leaves the draws of all others as they were, and more cash or less cost
never shortens a runway by chance.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from feilun.capital.company import Company, Flow, Funding, Income, Spending
from feilun.capital.measured import Unit
from feilun.errors import InputError

Paths: TypeAlias = NDArray[np.float64]
"""Money of each future (rows) in each month (columns)."""

DRAWS = 10_000  # a probability of 80 % is then known to 0.8 points, at 95 %
DAYS_A_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Part:
    """What one table of the file brings (or takes: negative), by month and future."""

    place: str
    name: str
    money: Paths


def stream(seed: int, place: str) -> np.random.Generator:
    """The chance of one table."""
    digest = hashlib.sha256(place.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def parts(
    company: Company, units: Mapping[str, Unit], seed: int, draws: int = DRAWS
) -> Iterator[Part]:
    """All that comes and goes by the file, without its bets and its budget.

    One table at a time: a file may have hundreds, and together they would not fit.
    """
    for income in company.income:
        place = f"income.{income.name}"
        money = _income(company, income, units, stream(seed, place), draws)
        yield Part(place, income.name, money)
    for spending in company.spending:
        place = f"spending.{spending.name}"
        yield Part(place, spending.name, -_spending(company, spending, stream(seed, place), draws))
    for funding in company.funding:
        place = f"funding.{funding.name}"
        yield Part(place, funding.name, _funding(company, funding, stream(seed, place), draws))


def assumed(income: Income) -> Unit:
    """The unit economics that the file declares for a task. Raises InputError without them."""
    if income.per_call is None or income.calls_per_day is None:
        raise InputError(
            f"income.{income.name} is what task {income.task} earns. Name the --store that holds "
            "it, or declare per_call and calls_per_day."
        )
    return Unit(str(income.task), income.per_call, 0.0, income.calls_per_day, 0.0)


def _income(
    company: Company,
    income: Income,
    units: Mapping[str, Unit],
    chance: np.random.Generator,
    draws: int,
) -> Paths:
    walk = _walk(company, income, chance, draws)
    if income.task is None:
        return (income.amount or 0.0) * walk
    unit = units.get(income.task) or assumed(income)
    margin = chance.normal(unit.margin, unit.margin_error, (draws, 1))
    calls = np.maximum(0, chance.normal(unit.calls_per_day, unit.calls_error, (draws, 1)))
    return margin * calls * DAYS_A_MONTH * walk


def _spending(
    company: Company, spending: Spending, chance: np.random.Generator, draws: int
) -> Paths:
    walk = _walk(company, spending, chance, draws)
    if spending.once:
        at = _month(company, spending.start)
        walk = np.where(np.arange(company.horizon) == max(at, 0), walk, 0.0)
    return spending.amount * spending.heads * walk


def _funding(company: Company, funding: Funding, chance: np.random.Generator, draws: int) -> Paths:
    comes = chance.random(draws) < funding.probability
    late = chance.exponential(funding.months_late, draws) if funding.months_late else 0.0
    month = np.floor(_month(company, funding.on) + late)
    at = np.arange(company.horizon) == month.reshape(-1, 1)
    return np.where(at & comes[:, None], funding.amount, 0.0)


def _walk(company: Company, flow: Flow, chance: np.random.Generator, draws: int) -> Paths:
    """How much of its first amount flows in each month: growth and a random walk, while it lasts.

    The walk's mean is that of the growth alone: half the variance is taken off, as with any
    lognormal law. Growth counts from the first month in which it flows.
    """
    months = np.arange(company.horizon)
    first = max(_month(company, flow.start), 0) if flow.start else 0
    last = _month(company, flow.end) if flow.end else company.horizon
    since = np.maximum(months - first, 0)
    growth = chance.normal(flow.monthly_growth, flow.growth_error, (draws, 1))
    steps = chance.normal(0, flow.monthly_volatility, (draws, company.horizon))
    steps[:, months <= first] = 0
    noise = np.cumsum(steps, axis=1) - since * flow.monthly_volatility**2 / 2
    level = np.exp(np.log1p(np.maximum(growth, -0.99)) * since + noise)
    return np.where((months >= first) & (months <= last), level, 0.0)


def _month(company: Company, day: date | None) -> int:
    """The month of the plan in which a day lies; before the plan it is negative."""
    on = company.cash.on
    if day is None:
        return 0
    return (day.year - on.year) * 12 + day.month - on.month - (day.day < on.day)
