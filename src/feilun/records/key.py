"""Key: who may ask through the gateway, for what, and how much."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from feilun.records.base import Instant, Record
from feilun.records.ledger import Money


class Scope(StrEnum):
    """What a key may do."""

    CALL = "call"  # ask models and tasks
    FEEDBACK = "feedback"  # correct, rate and audit calls
    READ = "read"  # see tasks, calls and figures
    ADMIN = "admin"  # all of these, and keys, releases and declarations


class Limits(BaseModel):
    """How much a key may ask. None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: Annotated[int | None, Field(gt=0)] = None
    tokens_per_day: Annotated[int | None, Field(gt=0)] = None
    money_per_month: Money | None = None


class Key(Record):
    """One state of a key. The secret itself is never stored: `digest` is its sha256.

    `key` names it for ever; a change (revoked, other limits) is a new record with the same
    `key`, and the latest one counts.
    """

    kind: ClassVar[str] = "key"

    key: str
    name: str
    digest: str
    last4: str
    scopes: tuple[Scope, ...]
    limits: Limits = Limits()
    expires: Instant | None = None
    revoked: bool = False
