"""The unit economics of a task: what a result costs that people accept, and when it pays."""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from feilun.ledger.statement import Account

_ZERO = Decimal(0)
_TO_SERVE = ("training", "label", "audit")


class Risk(Protocol):
    """The mean loss of what was served, by random audits, and its 95 % interval."""

    @property
    def mean(self) -> float:
        """The estimate."""
        ...

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        ...

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        ...


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval. It covers the audits' chance, and nothing else."""

    mid: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class Economics:
    """Figures of one task. None means unknown, or that no audit or student is there yet.

    `accepted` follows from random audits: calls times one less the risk. Feedback that
    people gave unasked stands beside it (`said_accepted`, `said_rejected`): it is biased.
    `break_even` is the number of calls that a student must serve until what it saves covers
    what was spent on training, labels and audits until now. Audits go on while it serves: the
    payback projects with those too.
    """

    calls: int
    served: int
    accepted: Estimate | None
    cost_per_accepted: Estimate | None
    said_accepted: int
    said_rejected: int
    break_even: int | None


def economics(
    account: Account,
    teacher_per_call: Decimal | None,
    risk: Risk | None,
    said_accepted: int,
    said_rejected: int,
) -> Economics:
    """The economics of a task from its account and what audits and people said."""
    accepted = _accepted(account.calls, risk)
    return Economics(
        calls=account.calls,
        served=account.served,
        accepted=accepted,
        cost_per_accepted=None if account.unknown else _per(account.cost, accepted),
        said_accepted=said_accepted,
        said_rejected=said_rejected,
        break_even=None if account.unknown else _break_even(account, teacher_per_call),
    )


def _accepted(calls: int, risk: Risk | None) -> Estimate | None:
    if risk is None:
        return None
    right = (1 - loss for loss in (risk.mean, risk.high, risk.low))
    return Estimate(*(calls * Decimal(str(round(share, 6))) for share in right))


def _per(cost: Decimal, accepted: Estimate | None) -> Estimate | None:
    """Cost by results; the fewer there are the dearer is each."""
    if accepted is None or not accepted.low:
        return None
    return Estimate(*(cost / each for each in (accepted.mid, accepted.high, accepted.low)))


def _break_even(account: Account, teacher: Decimal | None) -> int | None:
    """What was spent until now, by what a served call saves less the student's seconds."""
    if teacher is None or not account.served:
        return None
    spent = sum((account.spent.get(what, _ZERO) for what in _TO_SERVE), _ZERO)
    margin = teacher - account.spent.get("student", _ZERO) / account.served
    return math.ceil(spent / margin) if margin > 0 else None
