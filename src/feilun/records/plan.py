"""Plan: what the next turn of a task is expected to bring, before it is made."""

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from feilun.records.base import Record
from feilun.records.ledger import Money


class Between(BaseModel):
    """An expectation with its 80 % prediction interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mid: float
    low: float
    high: float


class CurvePoint(BaseModel):
    """A student of `examples` lost `loss` on average on `tested` that it had not seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: int
    tested: int
    loss: float


class Measured(BaseModel):
    """Seconds that this machine took while the plan was made: seen, and not derived."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    training: float  # for the examples at hand
    answer: float  # for one call


class Plan(Record):
    """One thing that could be done next for a task, and what it is expected to return.

    It is a function of the log up to row `seen`, of the prices that `prices` names and of
    what was `measured`: `feilun verify` makes it again. What is unknown is None, and
    `unknown` says what is missing. After the deed, the first verdict later than the plan is
    held against it.
    """

    kind: ClassVar[str] = "plan"

    seen: int
    trainer: str
    do: Literal["train", "audit", "label"]
    quantity: int  # examples to train on, audits or labels to get
    examples: int  # that the student would then learn from
    audits: int  # that would then decide
    coverage: Between | None  # share of the calls that the student would serve, if certified
    certified: Annotated[float | None, Field(ge=0, le=1)]  # chance of a certificate
    serves_now: Annotated[float, Field(ge=0, le=1)]  # share of the calls that a student serves
    calls_per_day: Between | None
    wait_days: float | None  # until the audits or labels are there
    cost: Money | None
    device_seconds: float | None
    gain_per_day: Between | None  # in the currency of the book; 0 where it is not certified
    returned: Between | None  # of money over `horizon_days`, less cost
    horizon_days: int
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    per_money: Decimal | None  # expected return per unit of money spent; None where cost is 0
    curve: tuple[CurvePoint, ...] = ()
    prices: tuple[str, ...] = ()  # ids of the Prices it was made with
    measured: Measured | None = None
    unknown: tuple[str, ...] = ()
