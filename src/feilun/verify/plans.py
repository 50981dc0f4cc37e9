"""Plans: foretold again from the log up to the row that they had seen.

Students are trained again for it. Another processor may train one that differs in the last
bits, so figures are compared to six digits.
"""

import math
from collections.abc import Iterator
from decimal import Decimal

from feilun.errors import StoreError, TrainerError
from feilun.house import House
from feilun.ports import Progress
from feilun.records import Json, Plan
from feilun.verify.check import Check

_NEAR = 1e-6


def plans(house: House, progress: Progress | None) -> Iterator[Check]:
    """Each plan, made again with those that were made beside it."""
    found = list(house.store.read(Plan))
    beside: dict[tuple[object, ...], dict[str, Plan] | str] = {}
    for done, plan in enumerate(found, start=1):
        # All that a derivation rests on: a plan whose row says otherwise is derived alone.
        basis = plan.model_dump(include=_BASIS)
        key = tuple(map(repr, basis.values()))
        if key not in beside:
            beside[key] = _derived(house, plan)
        yield Check("plan", plan.id, plan.task, _problem(plan, beside[key]))
        if progress:
            progress(done, len(found))


_BASIS = {"task", "at", "seen", "trainer", "horizon_days", "currency", "prices", "measured"}


def _derived(house: House, plan: Plan) -> dict[str, Plan] | str:
    try:
        return {again.id: again for again in house.planning.again(plan)}
    except (StoreError, TrainerError) as error:
        return str(error)


def _problem(plan: Plan, derived: dict[str, Plan] | str) -> str | None:
    if isinstance(derived, str):
        return derived
    again = derived.get(plan.id)
    if again is None:
        return f"the log gives no plan to {plan.do} {plan.quantity} at row {plan.seen}"
    theirs, ours = plan.model_dump(), again.model_dump()
    for field, value in theirs.items():
        if not _near(value, ours[field]):
            return f"{field}: stored {value}, derived {ours[field]}"
    return None


def _near(one: Json, other: Json) -> bool:
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(_near(one[k], other[k]) for k in one)
        case ((list() | tuple()), (list() | tuple())):
            return len(one) == len(other) and all(map(_near, one, other))
        case ((float() | Decimal()), (float() | Decimal())):
            return math.isclose(one, other, rel_tol=_NEAR, abs_tol=_NEAR)
        case _:
            return bool(one == other)
