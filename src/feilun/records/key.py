"""Key: who may ask through the gateway, for what, and how much."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from feilun.records.base import Instant, Record, later
from feilun.records.ledger import Money


class Scope(StrEnum):
    """What a key may do."""

    CALL = "call"  # ask models and tasks
    FEEDBACK = "feedback"  # correct, rate and audit calls
    READ = "read"  # see tasks, calls and figures
    ADMIN = "admin"  # all of these, and keys, releases and declarations


def _some(money: Money) -> Money:
    if money.amount <= 0:
        raise ValueError("a budget must be above zero")
    return money


class Limits(BaseModel):
    """How much a key may ask, by the days and months of UTC. None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # the gateway remembers each request of the last minute: 32 bytes each
    requests_per_minute: Annotated[int | None, Field(gt=0, le=100_000)] = None
    tokens_per_day: Annotated[int | None, Field(gt=0)] = None
    money_per_month: Annotated[Money, AfterValidator(_some)] | None = None


class Key(Record):
    """One state of a key. The secret itself is never stored: `digest` is its sha256.

    `key` names it for ever; a change (revoked, other limits) is a new record with the same
    `key`, and the latest one counts.
    """

    kind: ClassVar[str] = "key"

    key: str
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    last4: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{4}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    limits: Limits = Limits()
    team: Annotated[str | None, Field(max_length=100), later(None)] = None  # who pays
    app: Annotated[str | None, Field(max_length=100), later(None)] = None  # for what
    expires: Instant | None = None
    revoked: bool = False
