"""Bill: what a provider says it is owed."""

from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from feilun.records.base import Record, later


class BillLine(BaseModel):
    """One line: so much of `item` of `model` on `day` (or in all the period) costs `amount`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    item: str  # input_token, cached_token, output_token, second, or the provider's own word
    quantity: Decimal | None
    amount: Decimal
    day: date | None = None


class Bill(Record):
    """A provider's bill of a period, both days included. `digest` is of the file it came in."""

    kind: ClassVar[str] = "bill"

    provider: Annotated[str, Field(min_length=1, max_length=100)]
    first: date
    last: date
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    lines: tuple[BillLine, ...]
    total: Decimal  # as the bill says it; the lines must sum to it
    digest: str
    names: Annotated[dict[str, str], later({})] = Field(default_factory=dict)  # theirs to ours
