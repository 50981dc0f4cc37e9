"""What could be done next for a task, and what each of it would bring."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

import numpy as np

from feilun.planning.curve import Curve, Floats
from feilun.planning.facts import Costs, Traffic
from feilun.planning.forecast import DRAWS, Held, Look, Next, between, forecast
from feilun.records import CurvePoint, Json, Measured, Money, Plan, content_id

_SMALLEST = Decimal("0.000001")  # of money: below it nobody counts
_MOST_AUDITS = 5_000  # beyond it a better student is the cheaper way


@dataclass(frozen=True)
class Situation:
    """A task as the log has it at row `seen`. None is unknown; `unknown` says what."""

    task: str
    trainer: str
    at: datetime
    seen: int
    horizon_days: int
    examples: int
    audits: int
    calibrating: float  # share of the audits to come that decides; the others train
    waiting: int  # calls that were drawn for an audit and that nobody has judged
    unjudged: int  # calls of which no person has said anything
    held: Held | None
    points: tuple[CurvePoint, ...]
    curve: Curve | None
    traffic: Traffic | None
    costs: Costs
    measured: Measured | None
    currency: str
    prices: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """Something to do: `quantity` examples to train on, audits or labels to get."""

    do: Literal["train", "audit", "label"]
    quantity: int
    examples: int
    audits: int


def options(now: Situation, look: Look) -> Iterator[Option]:
    """Train with what there is; get audits that make a look worth it; get labels."""
    yield Option("train", now.examples, now.examples, now.audits)
    for more in _audits(now, look):
        judging = math.floor(more * now.calibrating)
        yield Option("audit", more, now.examples + more - judging, now.audits + judging)
    for more in (now.examples // 2, now.examples):  # a law is not trusted beyond twice the size
        if more:
            yield Option("label", more, now.examples + more, now.audits)


def _audits(now: Situation, look: Look) -> list[int]:
    """As many as are missing, or as many again; and twice that. None where none would do."""
    if now.held is None:
        return []
    wanted = look.wanted(now.held.pairs, now.audits)
    if wanted is None:
        return []
    missing = wanted - now.audits if wanted > now.audits else now.audits
    few = math.ceil(missing / now.calibrating)
    return [more for more in (few, 2 * few) if 0 < more <= _MOST_AUDITS]


def weigh(now: Situation, option: Option, look: Look) -> Plan:
    """The plan of an option: what it would bring, cost and return, as far as that is known."""
    id = content_id(
        [now.task, now.seen, now.at.isoformat(), now.horizon_days, option.do, option.quantity]
    )
    unknown = list(now.unknown)
    served = _served(now, option, look, int(id[:8], 16), unknown)
    seconds = _seconds(now, option)
    cost, wait = _cost(now, option, seconds), _wait(now, option)
    if wait is None and now.traffic:
        unknown.append("when the audits would be there: no call is drawn for one")
    chance = np.random.default_rng(int(id[8:16], 16))
    per_day = now.traffic.per_day(DRAWS, chance) if now.traffic else None
    gain = _gain(now, served, per_day, chance)
    returned = None
    if gain is not None and cost is not None and wait is not None:
        returned = gain * max(0.0, now.horizon_days - wait) - float(cost)
    passed = served[served > 0] if served is not None else ()
    facts: dict[str, Json] = {
        "do": option.do,
        "quantity": option.quantity,
        "examples": option.examples,
        "audits": option.audits,
        "coverage": between(passed) if len(passed) else None,
        "certified": None if served is None else round(len(passed) / DRAWS, 6),
        "serves_now": now.traffic.serves_now if now.traffic else 0.0,
        "calls_per_day": None if per_day is None else between(per_day),
        "wait_days": None if wait is None else round(wait, 6),
        "cost": None if cost is None else Money(amount=cost, currency=now.currency),
        "device_seconds": None if seconds is None else round(seconds, 3),
        "gain_per_day": None if gain is None else between(gain),
        "returned": None if returned is None else between(returned),
        "per_money": None if returned is None else _ratio(float(np.mean(returned)), cost),
    }
    return Plan(
        id=id,
        task=now.task,
        at=now.at,
        seen=now.seen,
        trainer=now.trainer,
        horizon_days=now.horizon_days,
        currency=now.currency,
        curve=now.points,
        prices=now.prices,
        measured=now.measured,
        unknown=tuple(dict.fromkeys(unknown)),
        **facts,
    )


def _served(
    now: Situation, option: Option, look: Look, seed: int, unknown: list[str]
) -> Floats | None:
    """Coverages drawn, 0 for a refusal; None where nothing says how good a student would be."""
    if now.held is None:
        return None
    if option.examples > now.examples and now.curve is None:
        unknown.append("what more examples bring: too few for a learning curve")
        if option.do == "label":
            return None
    shots = now.held.size - now.examples
    coming = Next(option.examples + shots, option.audits)
    return forecast(now.held, now.curve, coming, look, seed)


def _seconds(now: Situation, option: Option) -> float | None:
    """Device time of the training that follows, in proportion to its examples."""
    if now.measured is None:
        return None
    return now.measured.training * option.examples / max(now.examples, 1)


def _cost(now: Situation, option: Option, seconds: float | None) -> Decimal | None:
    """What the audits or labels and the training cost together."""
    each = {"train": Decimal(0), "audit": now.costs.audit, "label": now.costs.label}[option.do]
    if each is None or seconds is None or now.costs.training is None:
        return None
    got = 0 if option.do == "train" else option.quantity
    cost = each * got + now.costs.training * Decimal(str(round(seconds, 3)))
    return cost.quantize(_SMALLEST).normalize()


def _wait(now: Situation, option: Option) -> float | None:
    """Days until enough calls are there to judge; None where they never come."""
    if option.do == "train":
        return 0.0
    at_hand = now.waiting if option.do == "audit" else now.unjudged
    if option.quantity <= at_hand:
        return 0.0
    if now.traffic is None:
        return None
    coming = now.traffic.drawn if option.do == "audit" else now.traffic.calls
    per_day = coming / now.traffic.days
    return (option.quantity - at_hand) / per_day if per_day else None


def _gain(
    now: Situation, served: Floats | None, per_day: Floats | None, chance: np.random.Generator
) -> Floats | None:
    """Money saved per day, drawn. A student that serves less than the one at work stays out."""
    teacher, student = now.costs.teacher, now.costs.student
    if served is None or per_day is None or teacher is None or student is None:
        return None
    cost = chance.normal(teacher.mean, teacher.error, DRAWS)
    more = np.maximum(served - (now.traffic.serves_now if now.traffic else 0.0), 0.0)
    gained: Floats = per_day * more * (cost - student)
    return gained


def _ratio(returned: float, cost: Decimal | None) -> Decimal | None:
    return Decimal(str(round(returned / float(cost), 4))) if cost else None
