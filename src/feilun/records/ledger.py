"""Price and Posting: the tariff and the journal."""

from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from feilun.records.base import Record


class Money(BaseModel):
    """An amount in a currency. Never a float."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Decimal
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Price(Record):
    """What one `unit` of `item` costs, who says so and since when."""

    kind: ClassVar[str] = "price"

    item: str
    unit: str
    amount: Decimal
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    source: str
    since: date


class Posting(Record):
    """A line of the journal: `amount` moves from account `credit` to `debit`.

    Both legs are one record, so every transaction sums to zero by construction.
    `amount` is None where a price is unknown: unknown, never zero. A correction is a
    new posting; none is ever edited. What a closing estimates and what a bill corrects has
    an amount and no price.
    """

    kind: ClassVar[str] = "posting"

    debit: str
    credit: str
    amount: Decimal | None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    quantity: Decimal
    unit: str
    cause: str  # "call:<id>", "calls:<n>:<hash>", "audit:<id>", "closing:<day>:...", ...
    price: str | None  # id of the Price
