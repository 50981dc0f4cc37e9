"""Dataset: an immutable set of examples that names its calls, split by time."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from feilun.records.base import Instant, Json, Record, later


class Example(BaseModel):
    """One judged (or, from the teacher alone, unjudged) answer to one call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    call: str
    at: Instant
    input: Json
    output: Json
    source: Literal["correction", "accepted", "audit", "teacher"]
    judge: Literal["person", "teacher"]
    tenant: Annotated[str | None, later(None)] = None


class Dataset(Record):
    """`id` is the hash of the examples, the cut and the window.

    Examples before `cut` train. Audits in [`cut`, `until`) calibrate, once. The
    examples themselves lie in the blob `examples`, one stable JSON line each.
    """

    kind: ClassVar[str] = "dataset"

    cut: Instant
    until: Instant
    examples: str  # digest of the blob
    train: int
    calibration: int
    rate: Annotated[float, Field(ge=0, le=1)]  # audits were thinned to this common π
    conflicts: int  # calls with several judgements: the latest won
    duplicates: int  # training inputs said again: the latest best-judged was kept
    near_duplicates: int  # training inputs too like a calibration input: dropped
    thinned: int  # audits given up so that all have the same weight
