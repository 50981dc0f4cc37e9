"""What a person declares in the file: cash, income, spending, funding, bets and a budget.

Every figure of a table is an assumption, and `why` says where it is from. A table without
`why` is used and flagged. Growth and volatility are by month for money that flows, and by
year for the value of a bet.
"""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST = 1e13  # of any currency: beyond it a figure is a slip of the keyboard
Amount = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=MOST, allow_inf_nan=False)]
Signed = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]
Chance = Annotated[float, Field(ge=0, le=1)]
Growth = Annotated[float, Field(ge=-0.5, le=1)]
Volatility = Annotated[float, Field(ge=0, le=2)]


class Declared(BaseModel):
    """A table of the file: nothing in it is unknown, and a reason is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    why: Annotated[str, Field(max_length=500)] | None = None
    currency: str | None = None  # may be repeated anywhere, and is never another one


class Cash(Declared):
    """What is in the bank, and on which day."""

    amount: Signed
    on: date


class Named(Declared):
    """A table of a list."""

    name: Name


class Flow(Named):
    """Money that comes or goes monthly, from the first day of `start` until `end`.

    It grows by `monthly_growth`, of which `growth_error` is the standard error, and walks
    at random by `monthly_volatility` (of the logarithm).
    """

    start: date | None = None
    end: date | None = None
    monthly_growth: Growth = 0.0
    growth_error: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    monthly_volatility: Volatility = 0.0

    @model_validator(mode="after")
    def _in_order(self) -> "Flow":
        if self.start and self.end and self.end < self.start:
            raise ValueError("ends before it starts")
        return self


class Income(Flow):
    """Income: so much a month, or what a task of the store earns: margin by calls.

    With `task`, `per_call` and `calls_per_day` are used only where the store is not asked.
    """

    amount: Amount | None = None
    task: Name | None = None
    per_call: Signed | None = None
    calls_per_day: Amount | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Income":
        by_task = self.task is not None
        if by_task == (self.amount is not None):
            raise ValueError("needs either amount (a month) or task (a task of the store)")
        if (self.per_call is None) != (self.calls_per_day is None):
            raise ValueError("needs per_call and calls_per_day together, or neither")
        if self.per_call is not None and not by_task:
            raise ValueError("has per_call without task")
        return self


class Spending(Flow):
    """Spending: so much a month and head, or once, in the month of `start`."""

    amount: Amount
    heads: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    once: bool = False


class Funding(Named):
    """Money that may come: on a day, with a probability, some months late on average."""

    amount: Amount
    on: date
    probability: Chance
    months_late: Annotated[float, Field(ge=0, le=36)] = 0.0


class Stage(Declared):
    """A stage of a bet: paid at its start, and it may fail at its end."""

    name: Name
    cost: Amount
    months: Annotated[int, Field(ge=0, le=60)]
    success: Chance = 1.0


class Scale(Declared):
    """The choice at the end: pay once more, and multiply the value."""

    cost: Amount
    factor: Annotated[float, Field(ge=1, le=100)]


class Bet(Named):
    """A staged bet. Its value at the end is lognormal: a mean, and a volatility by year.

    At the start of each stage one may stop and keep `salvage`. With `in_cash` the value is
    paid at the end; else it is worth that much and pays no bill.
    """

    value: Positive
    volatility: Annotated[float, Field(gt=0, le=3)]
    salvage: Amount = 0.0
    in_cash: bool = False
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=6)]
    scale: Scale | None = None

    @property
    def months(self) -> int:
        """From the first payment until the value is there."""
        return sum(stage.months for stage in self.stages)

    @model_validator(mode="after")
    def _lasts(self) -> "Bet":
        if not 1 <= self.months <= 120:
            raise ValueError("must last from 1 to 120 months, all stages together")
        return self


class Bucket(Named):
    """Something to spend on, with diminishing returns: spending x brings `most * (1 - exp(-x/b))`.

    `b` is `scale`: spending that much brings 63 % of the most. What it brings comes evenly
    over `over` months, `after` months from now.
    """

    most: Positive
    scale: Positive
    after: Annotated[int, Field(ge=0, le=60)] = 0
    over: Annotated[int, Field(ge=1, le=120)] = 12
    volatility: Volatility = 0.0  # of the whole, once


class Allocation(Declared):
    """A budget, and the promise it may not break: to last `months` with this probability."""

    budget: Positive
    months: Annotated[int, Field(ge=1, le=120)]
    probability: Annotated[float, Field(gt=0, lt=1)]
    buckets: Annotated[tuple[Bucket, ...], Field(max_length=8)] = ()


class Company(Declared):
    """The whole file."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    horizon: Annotated[int, Field(ge=6, le=120)] = 36
    discount: Annotated[float, Field(ge=0, le=1)] = 0.0  # a year, compounded continuously
    cash: Cash
    income: Annotated[tuple[Income, ...], Field(max_length=100)] = ()
    spending: Annotated[tuple[Spending, ...], Field(max_length=100)] = ()
    funding: Annotated[tuple[Funding, ...], Field(max_length=20)] = ()
    bet: Annotated[tuple[Bet, ...], Field(max_length=5)] = ()
    allocation: Allocation | None = None

    @model_validator(mode="after")
    def _sees_the_promise(self) -> "Company":
        if self.allocation and self.allocation.months > self.horizon:
            raise ValueError("allocation.months lies beyond horizon: raise horizon")
        return self
