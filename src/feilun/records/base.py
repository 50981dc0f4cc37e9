"""What every record is: frozen, typed, versioned data with one stable JSON form.

Records stand on the ground floor. They hold no behaviour: what is computed from
them lives in the stage that computes it. The JSON form is the wire form, the
stored form and the hashed form, so it never depends on field order, locale or
Python version: keys sorted, no spaces, UTF-8, times in UTC, money as a string.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

# A JSON value. Inputs and outputs are checked against their task's own schema,
# so a recursive type here would check them twice and say less.
Json = Any


# Made once: `json.dumps` makes one for every call that wants other than its defaults.
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Record(BaseModel):
    """The base of all records. `id` is unique within a kind, for ever."""

    # "constants" keeps NaN and infinity as they are, so that `stable_json` refuses them;
    # pydantic's default would turn them into null and nobody would know.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    kind: ClassVar[str]

    version: Literal[1] = 1
    id: str
    task: str
    at: Instant


R = TypeVar("R", bound=Record)


def later(default: Json) -> Any:
    """The field of a kind that grew: at its default it is not written, so old rows keep theirs."""
    return Field(exclude_if=lambda value: value == default)


def stable_json(value: Json) -> bytes:
    """The one JSON form: sorted keys, no spaces, UTF-8, no NaN or infinity."""
    return _ENCODER.encode(value).encode()


def encode(record: Record) -> bytes:
    """A record as stable JSON. `decode` of the same kind gives an equal record."""
    return stable_json(record.model_dump(mode="json"))


def decode(kind: type[R], body: bytes | str) -> R:
    """Read a record back. Raises pydantic.ValidationError when it is not one."""
    return kind.model_validate_json(body)


def digest(data: bytes) -> str:
    """The address of some bytes: sha256, in hex."""
    return hashlib.sha256(data).hexdigest()


def content_id(content: Json) -> str:
    """An id made from content, for records that are their content (128 bits, hex)."""
    return digest(stable_json(content))[:32]
