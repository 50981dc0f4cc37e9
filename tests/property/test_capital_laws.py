"""Laws of the runway: more money or less cost never shortens it, in any drawn future."""

from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from feilun.capital import flows
from feilun.capital.allocate import Room, allocate, returns
from feilun.capital.company import Allocation, Bucket, Cash, Company, Funding, Income, Spending
from feilun.capital.flows import Paths
from feilun.capital.runway import balance, ends, runway

DRAWS = 200
MONEY = st.floats(0, 1e6, allow_subnormal=False)
SMALL = st.floats(0, 0.2, allow_subnormal=False)


@st.composite
def companies(draw: st.DrawFn) -> Company:
    spending = tuple(
        Spending(
            name=f"cost {number}",
            amount=draw(MONEY),
            monthly_growth=draw(SMALL),
            monthly_volatility=draw(SMALL),
            once=draw(st.booleans()),
        )
        for number in range(draw(st.integers(1, 4)))
    )
    income = Income(
        name="sales", amount=draw(MONEY), growth_error=draw(SMALL), monthly_volatility=draw(SMALL)
    )
    funding = Funding(
        name="round", amount=draw(MONEY), on=date(2026, 6, 1), probability=0.5, months_late=2.0
    )
    cash = Cash(amount=draw(st.floats(-1e5, 1e7)), on=date(2026, 1, 1))
    return Company(
        currency="CNY", cash=cash, income=(income,), spending=spending, funding=(funding,)
    )


def drawn(company: Company, seed: int) -> tuple[Paths, Paths]:
    """Cash by month, and the runways."""
    cash = company.cash.amount
    paths = balance(cash, flows.parts(company, {}, seed, DRAWS), (DRAWS, company.horizon))
    return paths, ends(cash, paths)


@settings(max_examples=60, deadline=None)
@given(companies(), st.floats(0, 1e6), st.integers(0, 99))
def test_more_cash_never_shortens_a_runway(company: Company, more: float, seed: int) -> None:
    richer = company.model_copy(
        update={"cash": company.cash.model_copy(update={"amount": company.cash.amount + more})}
    )
    assert (drawn(richer, seed)[1] >= drawn(company, seed)[1] - 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(companies(), st.integers(0, 99))
def test_a_cost_that_is_dropped_never_shortens_a_runway(company: Company, seed: int) -> None:
    fewer = company.model_copy(update={"spending": company.spending[1:]})
    assert (drawn(fewer, seed)[1] >= drawn(company, seed)[1] - 1e-9).all()


@settings(max_examples=30, deadline=None)
@given(companies(), st.integers(0, 99))
def test_the_same_seed_draws_the_same_futures(company: Company, seed: int) -> None:
    assert (drawn(company, seed)[0] == drawn(company, seed)[0]).all()


@settings(max_examples=60, deadline=None)
@given(companies(), st.integers(0, 99))
def test_quantiles_rise_and_the_odds_of_lasting_fall_with_the_months(
    company: Company, seed: int
) -> None:
    paths, _ = drawn(company, seed)
    found = runway(company.cash.amount, paths)
    months = [np.inf if each.months is None else each.months for each in found.quantiles]
    assert months == sorted(months)
    odds = [each.probability for each in found.lasts]
    assert odds == sorted(odds, reverse=True)
    assert all(each.low <= each.probability <= each.high for each in found.lasts)


BUCKETS = st.lists(
    st.tuples(st.floats(1e3, 1e6), st.floats(1e3, 1e6), st.integers(0, 12), st.integers(1, 24)),
    min_size=1,
    max_size=3,
)


def an_allocation(rows: list[tuple[float, float, int, int]], budget: float) -> Allocation:
    buckets = tuple(
        Bucket(name=f"bucket {number}", most=most, scale=scale, after=after, over=over)
        for number, (most, scale, after, over) in enumerate(rows)
    )
    return Allocation(budget=budget, months=12, probability=0.5, buckets=buckets)


@settings(max_examples=40, deadline=None)
@given(companies(), BUCKETS, st.floats(1e3, 1e6))
def test_a_split_spends_no_more_than_its_budget_and_keeps_its_promise_or_says_so(
    company: Company, rows: list[tuple[float, float, int, int]], budget: float
) -> None:
    plan = an_allocation(rows, budget)
    company = company.model_copy(update={"allocation": plan})
    room = Room(company, {}, drawn(company, 1)[0], 1)
    split = allocate(company, plan, {}, room, room, budget)
    assert split.spent <= budget * (1 + 1e-9)
    assert all(share.amount >= 0 for share in split.shares)
    assert split.held == (split.chosen_at >= plan.probability)
    wider = allocate(company, plan, {}, room, room, 1.1 * budget)
    assert wider.held or not split.held  # whoever may spend more may also leave it


@settings(max_examples=40, deadline=None)
@given(BUCKETS, st.floats(1e3, 1e6))
def test_where_the_promise_is_no_matter_money_flows_until_marginal_values_are_alike(
    rows: list[tuple[float, float, int, int]], budget: float
) -> None:
    plan = an_allocation(rows, budget)
    cash = Cash(amount=1e9, on=date(2026, 1, 1))
    company = Company(currency="CNY", cash=cash, allocation=plan)
    room = Room(company, {}, np.full((4, company.horizon), 1e9), 1)
    split = allocate(company, plan, {}, room, room, budget)
    funded = [share.marginal for share in split.shares if share.amount > 1e-6 * budget]
    others = [share.marginal for share in split.shares if share.amount <= 1e-6 * budget]
    if funded:
        assert max(funded) - min(funded) <= 1e-3 * max(funded)
        assert max(others, default=0) <= min(funded) * (1 + 1e-3)
    best = sum(share.worth - share.amount for share in split.shares)
    even = [returns(bucket, budget / len(rows)) - budget / len(rows) for bucket in plan.buckets]
    assert best >= sum(even) - 1e-6 * budget
