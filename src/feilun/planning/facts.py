"""What the log says of a task's traffic and money: the facts that a plan rests on."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import fmean, stdev, variance

import numpy as np

from feilun.planning.curve import Floats
from feilun.records import Call, Measured, Posting

_WINDOW = timedelta(days=28)  # four weeks: each day of the week four times
_SHORTEST = timedelta(days=1)  # from part of a day nobody knows what a day brings


@dataclass(frozen=True)
class Traffic:
    """Calls of the last four weeks, or of the task's life where that is shorter.

    `spread` is the variance of the calls of a day over their mean: 1 for Poisson's law, and
    above where days differ, as they do at weekends.
    """

    calls: int
    days: float
    spread: float
    served: int  # by students, since the pointer last moved
    asked: int  # since then
    drawn: float  # calls of the window that were expected to be drawn for an audit

    @property
    def serves_now(self) -> float:
        """The share of the calls that a student serves now."""
        return self.served / self.asked if self.asked else 0.0

    def per_day(self, draws: int, chance: np.random.Generator) -> Floats:
        """Calls per day, drawn: a gamma law, with the variance of an overdispersed count."""
        return chance.gamma(self.calls / self.spread, self.spread / self.days, draws)


def traffic(calls: Iterable[Call], at: datetime, moved: datetime | None) -> Traffic | None:
    """The traffic of a task, whose pointer last `moved` to a student or None; None under a day.

    A log whose last four weeks are empty says nothing of the day to come either.
    """
    told = [call for call in calls if call.at < at]
    recent = [call for call in told if call.at >= at - _WINDOW]
    if not recent or at - told[0].at < _SHORTEST:
        return None
    days = min(_WINDOW, at - told[0].at) / timedelta(days=1)
    since = [call for call in told if moved is not None and call.at >= moved]
    return Traffic(
        calls=len(recent),
        days=days,
        spread=_spread(recent),
        served=sum(call.by == "student" for call in since),
        asked=len(since),
        drawn=sum(call.audit_rate for call in recent),
    )


def _spread(calls: Sequence[Call]) -> float:
    """Variance over mean of whole days' counts, at least 1; the first and last day are parts."""
    counted = Counter(call.at.date() for call in calls)
    first, last = min(counted), max(counted)
    whole = [counted[first + timedelta(days=n)] for n in range(1, (last - first).days)]
    if len(whole) < 3 or not any(whole):
        return 1.0
    return max(1.0, variance(whole) / fmean(whole))


@dataclass(frozen=True)
class Mean:
    """A mean and its standard error."""

    mean: float
    error: float


@dataclass(frozen=True)
class Costs:
    """What things cost; None where that is unknown, and `unknown` names the price."""

    teacher: Mean | None  # per call
    student: float | None  # per call
    training: Decimal | None  # per second
    audit: Decimal | None
    label: Decimal | None
    unknown: tuple[str, ...]


def costs(
    postings: Iterable[Posting],
    prices: Mapping[str, Decimal],
    measured: Measured | None,
    at: datetime,
) -> Costs:
    """What the journal of the last four weeks and the prices in force say.

    A student that never served costs the seconds that were measured, at their price.
    """
    recent = [p for p in postings if at - _WINDOW <= p.at < at and p.cause.startswith("call:")]
    teacher, student = (
        _per_call([p for p in recent if p.debit == f"expense:{who}"])
        for who in ("teacher", "student")
    )
    second = prices.get("student:second")
    guess = None if second is None or measured is None else float(second) * measured.answer
    wanted = ("student:second", "training:second", "audit:person", "label:person")
    unknown = [f"the price of {item}" for item in wanted if item not in prices]
    if teacher is None:
        unknown.insert(0, "what a call costs that the teacher answers")
    return Costs(
        teacher=teacher,
        student=student.mean if student and second is not None else guess,
        training=prices.get("training:second"),
        audit=prices.get("audit:person"),
        label=prices.get("label:person"),
        unknown=tuple(unknown),
    )


def _per_call(postings: Sequence[Posting]) -> Mean | None:
    """The mean cost of a call; None where there is none, or one has no price."""
    calls: dict[str, float] = {}
    for posting in postings:
        if posting.amount is None:
            return None
        calls[posting.cause] = calls.get(posting.cause, 0.0) + float(posting.amount)
    if not calls:
        return None
    error = stdev(calls.values()) / math.sqrt(len(calls)) if len(calls) > 1 else 0.0
    return Mean(fmean(calls.values()), error)
