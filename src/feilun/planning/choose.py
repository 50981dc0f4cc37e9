"""Which plans to follow: ranked by what they return, and chosen under a budget."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby

from feilun.records import Plan

_STEPS = 500  # a budget is spent in so many steps, costs rounded up: it is never overdrawn


def ranked(plans: Sequence[Plan]) -> list[Plan]:
    """By expected return per unit of money, what costs nothing first.

    A plan whose return is unknown comes after all others: it is not guessed.
    """
    return sorted(plans, key=_rank)


def _rank(plan: Plan) -> tuple[int, Decimal, float]:
    if plan.returned is None:
        return 1, Decimal(0), -(plan.certified or 0.0)
    free = plan.per_money is None and plan.returned.mid > 0
    return 0, -(Decimal("Infinity") if free else plan.per_money or Decimal(0)), -plan.returned.mid


def chosen(
    plans: Sequence[Plan], budget: Decimal | None, device_seconds: float | None = None
) -> list[Plan]:
    """At most one plan for each task: those that together return most within a budget.

    A multiple-choice knapsack, solved exactly but for the rounding of each cost, up, to a
    500th of the budget (dynamic programming; Kellerer, Pferschy & Pisinger 2004, chapter 11).
    Only a plan that is expected to return more than it costs is ever chosen.
    """
    known = [p for p in plans if p.returned and p.returned.mid > 0 and p.cost is not None]
    best: dict[tuple[int, int], tuple[float, tuple[Plan, ...]]] = {(0, 0): (0.0, ())}
    for _, some in groupby(sorted(known, key=lambda p: p.task), key=lambda p: p.task):
        options = list(some)
        for spent, (value, picks) in list(best.items()):
            for plan in options:
                money = spent[0] + _steps(float(plan.cost.amount if plan.cost else 0), budget)
                time = spent[1] + _steps(plan.device_seconds or 0.0, device_seconds)
                more = value + (plan.returned.mid if plan.returned else 0.0)
                if max(money, time) <= _STEPS and more > best.get((money, time), (0.0,))[0]:
                    best[money, time] = (more, (*picks, plan))
    return ranked(max(best.values(), key=lambda found: found[0])[1])


def _steps(amount: float, limit: Decimal | float | None) -> int:
    """The steps of a limit that an amount takes: none where there is no limit."""
    if limit is None or not amount:
        return 0
    if not limit:
        return _STEPS + 1
    return -int(-amount * _STEPS // float(limit))
