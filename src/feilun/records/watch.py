"""Alarm and Drift: what watching the served answers has shown."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from feilun.records.base import Record


class WhyAlarm(StrEnum):
    """Which limit of the red line a released student was shown to break."""

    RISK = "risk"  # the expected loss of its answers is above the line
    SLOW = "slow"  # more than one answer in twenty takes longer than the p95 allows
    COST = "cost"  # an accepted result costs more than the line allows
    NEVER = "never"  # an audit found an answer that must never be given


class Alarm(Record):
    """The evidence that a released student is over its line. It moves the pointer back.

    `evidence` is the value of an e-process: were the line held, it would ever reach
    1 / `alpha` with probability at most `alpha` (Ville's inequality). `alpha` is this
    release's share of the task's lifetime budget of false alarms. A rule that allows no
    case at all needs none: its evidence is None, and `rule` names it.
    """

    kind: ClassVar[str] = "alarm"

    release: str
    variant: str
    why: WhyAlarm
    alpha: Annotated[float, Field(gt=0, lt=1)]
    evidence: float | None
    seen: int  # audits, or calls, that the evidence rests on
    mean: float | None  # of what was watched: loss, share of slow calls, cost
    limit: float
    last: str  # id of the last Audit or Call that was counted
    rule: str | None = None  # name of the Never that was broken


class Drift(Record):
    """An early warning without labels: calls no longer look like those before.

    It raises the rate of audits and never moves the pointer: a new sort of question may
    be answered as well as the old ones.
    """

    kind: ClassVar[str] = "drift"

    release: str
    what: Literal["confidence", "input"]
    evidence: float  # value of a conformal martingale
    limit: float  # that it reached
    seen: int  # calls since the release
    last: str  # id of the last Call that was counted
