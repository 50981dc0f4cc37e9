"""Laws of planning: curves fall as they must, intervals hold, and no budget is overdrawn."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from feilun.planning import chosen, fit
from feilun.records import Between, CurvePoint, Money, Plan

levels = st.floats(0.03, 0.5)
floors = st.floats(0.0, 0.8)
slopes = st.floats(0.1, 0.9)


def loss(level: float, floor: float, slope: float, share: float) -> float:
    return level * (floor + (1 - floor) * float(share**-slope))


def points(level: float, floor: float, slope: float, tested: int) -> list[CurvePoint]:
    return [
        CurvePoint(
            examples=n,
            tested=tested,
            loss=loss(level, floor, slope, n / 3000),
        )
        for n in (500, 1000, 2000, 3000)
    ]


@given(levels, floors, slopes)
def test_a_known_law_is_found_again(level: float, floor: float, slope: float) -> None:
    assume(loss(level, floor, slope, 500 / 3000) < 0.9)
    curve = fit(points(level, floor, slope, 100_000))
    assert curve is not None
    truth, laws = loss(level, floor, slope, 2.0), curve.losses(6000)
    assert laws @ curve.weights == pytest.approx(truth, rel=0.2)
    assert curve.weights[laws <= truth * 1.01].sum() > 0.01
    assert curve.weights[laws >= truth * 0.99].sum() > 0.01


@given(
    st.lists(
        st.tuples(st.integers(1, 10_000), st.integers(0, 500), st.floats(0, 1)),
        min_size=3,
        max_size=6,
    )
)
def test_more_examples_never_make_a_law_worse(told: list[tuple[int, int, float]]) -> None:
    curve = fit([CurvePoint(examples=n, tested=t, loss=lost) for n, t, lost in told])
    if curve is None:
        return
    assert curve.weights.sum() == pytest.approx(1)
    smaller, larger = curve.losses(curve.size), curve.losses(2 * curve.size)
    assert (larger <= smaller).all()
    assert (larger > 0).all()


def test_eight_in_ten_intervals_hold_on_made_up_curves() -> None:
    chance = np.random.default_rng(11)
    held = 0
    for _ in range(300):
        level, floor = chance.uniform(0.03, 0.4), chance.uniform(0, 0.9)
        slope = chance.uniform(0.1, 1)
        tested = int(chance.integers(100, 1500))

        def true(
            share: float, level: float = level, floor: float = floor, slope: float = slope
        ) -> float:
            return min(0.95, loss(level, floor, slope, share) * math.exp(chance.normal(0, 0.05)))

        told = [
            CurvePoint(examples=n, tested=tested, loss=wrong / tested)
            for n in (500, 1000, 2000, 3000)
            for wrong in [chance.binomial(tested, true(n / 3000))]
        ]
        curve = fit(told)
        assert curve is not None
        kept = curve.kept(3000, 6000, 400, chance)
        low, high = np.quantile(kept, [0.1, 0.9])
        held += low <= true(2.0) / loss(level, floor, slope, 1.0) <= high
    assert 0.72 <= held / 300 <= 0.88


# The knapsack

_PLAN = Plan(
    id="p", task="t", at=datetime(2026, 1, 1, tzinfo=UTC), seen=0, trainer="linear", do="train",
    quantity=1, examples=1, audits=1, coverage=None, certified=None, serves_now=0,
    calls_per_day=None, wait_days=0, cost=None, device_seconds=None, gain_per_day=None,
    returned=None, horizon_days=90, currency="CNY", per_money=None,
)  # fmt: skip


@st.composite
def some_plans(draw: st.DrawFn) -> list[Plan]:
    """Up to four tasks with up to three plans; costs are whole parts of a budget of 100."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from("abcd"),
                st.integers(0, 60),
                st.integers(0, 60),
                st.one_of(st.none(), st.floats(-5, 50)),
            ),
            max_size=8,
        )
    )
    return [
        _PLAN.model_copy(
            update={
                "id": str(n),
                "task": task,
                "cost": Money(amount=Decimal(cost), currency="CNY"),
                "device_seconds": float(seconds),
                "returned": None if back is None else Between(mid=back, low=back, high=back),
            }
        )
        for n, (task, cost, seconds, back) in enumerate(rows)
    ]


def brute(plans: list[Plan], money: float, time: float) -> float:
    """The most that can be had: every way to take at most one plan of each task."""
    tasks = [[None, *(p for p in plans if p.task == task)] for task in "abcd"]
    best = 0.0
    for ways in product(*tasks):
        taken = [p for p in ways if p is not None and p.returned is not None and p.cost]
        if len(taken) < sum(p is not None for p in ways):
            continue
        spent = sum(float(p.cost.amount) for p in taken if p.cost)
        if spent <= money and sum(p.device_seconds or 0 for p in taken) <= time:
            best = max(best, sum(p.returned.mid for p in taken if p.returned))
    return best


@settings(max_examples=60)
@given(some_plans())
def test_what_is_chosen_returns_the_most_and_overdraws_nothing(plans: list[Plan]) -> None:
    taken = chosen(plans, Decimal(100), 100.0)
    assert len({p.task for p in taken}) == len(taken)
    assert sum(p.cost.amount for p in taken if p.cost) <= 100
    assert sum(p.device_seconds or 0 for p in taken) <= 100
    back = sum(p.returned.mid for p in taken if p.returned)
    assert back == pytest.approx(brute(plans, 100, 100))


@given(some_plans(), st.integers(0, 100))
def test_no_budget_returns_more_than_one_without_end(plans: list[Plan], money: int) -> None:
    within, free = (
        sum(p.returned.mid for p in chosen(plans, limit) if p.returned)
        for limit in (Decimal(money), None)
    )
    assert within <= free + 1e-9
