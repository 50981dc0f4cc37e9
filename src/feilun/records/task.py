"""Task: a named, typed unit of AI work, and the red line it must hold."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from feilun.records.base import Json, Record


class RedLine(BaseModel):
    """What a variant must be shown to hold before it may serve.

    With probability at least `confidence`, over the task's whole life and all its
    retrains, no released student has an expected loss above `max_loss` on the
    calls that it serves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_loss: Annotated[float, Field(gt=0, lt=1)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95


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
