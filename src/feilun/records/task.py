"""Task: a named, typed unit of AI work, and the red line it must hold."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from feilun.records.base import Json, Record, later
from feilun.records.ledger import Money


class Slicing(StrEnum):
    """Ways to cut a task's calls into slices that are known before the answer leaves."""

    LABEL = "label"  # by the answer, of a task with a closed set of answers
    LANGUAGE = "language"  # by the script of the input: zh, en, mixed, other
    TENANT = "tenant"  # by who is served


class Never(BaseModel):
    """A zero-tolerance rule: no answer may be as `answer` says where `right` holds.

    Both are JSON Schemas: `answer` of what is served, `right` of what an audit says would
    have been right. Without `right` the answer alone decides, and it is not served.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    answer: dict[str, Json]
    right: dict[str, Json] | None = None


class RedLine(BaseModel):
    """What a variant must be shown to hold before it may serve, and is watched for after.

    With probability at least `confidence`, over the task's whole life and all its
    retrains, no released student has an expected loss above `max_loss` on the
    calls that it serves; in each slice of `per`, where that is set.

    `false_alarms` is the probability, over the task's whole life, that a student which
    holds its line is called back by an alarm of one of the watched limits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_loss: Annotated[float, Field(gt=0, lt=1)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    false_alarms: Annotated[float, Field(gt=0, lt=0.5), later(0.05)] = 0.05
    per: Annotated[Slicing | None, later(None)] = None
    p95_seconds: Annotated[float | None, Field(gt=0), later(None)] = None
    cost_per_accepted: Annotated[Money | None, later(None)] = None
    never: Annotated[tuple[Never, ...], later(())] = ()


class Shot(BaseModel):
    """An input and its right output, shown to the teacher as an example."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Json
    output: Json


class Task(Record):
    """One version of a task's declaration. `id` is the hash of its content."""

    kind: ClassVar[str] = "task"

    instructions: str
    input_schema: dict[str, Json]
    output_schema: dict[str, Json]
    shots: tuple[Shot, ...] = ()
    loss: Literal["exact"] = "exact"
    red_line: RedLine
