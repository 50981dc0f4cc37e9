"""Call: one answered task."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from feilun.records.base import Json, Record, later


class WhyTeacher(StrEnum):
    """Why the teacher, and not a student, answered a call."""

    NO_RELEASE = "no_release"  # no student holds a release for this task
    UNSURE = "unsure"  # the student's confidence was below the certified threshold
    UNREADABLE = "unreadable"  # the released artefact could not be read: fall closed
    INVALID = "invalid"  # the student's output broke the output schema: fall closed
    FORBIDDEN = "forbidden"  # the student's output breaks a zero-tolerance rule
    NO_TASK = "no_task"  # the request named a model, and no adopted task matched it


class Ended(StrEnum):
    """How an answer ended. What did not end complete was paid for and teaches nothing."""

    COMPLETE = "complete"  # the whole answer was given
    CLIENT_LEFT = "client_left"  # the client went away, and the engine was told to stop
    ENGINE_BROKE = "engine_broke"  # the engine stopped in the middle of its answer
    OVERTAKEN = "overtaken"  # another engine began first, and this one was told to stop


RAW = "raw"
"""The task of a call that names a model and no task: `input` is the request as it came,
`output` the message that answered it. Discovery reads these, and nothing trains on them."""


class Aside(BaseModel):
    """What a variant on trial, or the one it is compared with, would have said of a call.

    `sure` says whether it would have served: its confidence reached its threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    output: Json
    confidence: float
    sure: bool
    seconds: Annotated[float, Field(ge=0)]


class Call(Record):
    """One answered task. `variant` is a candidate's id, or the teacher's name.

    `seconds` is the whole time that the caller waited; `student_seconds` the part
    of it that a student took, also where the teacher had the last word. Tokens are
    missing where no tokens were spent. `audit_rate` is the probability with which
    this call is drawn for an audit: the draw is a function of it and of the id. Where a
    slice of the traffic is drawn more often, `common_rate` is the rate of all the others.
    """

    kind: ClassVar[str] = "call"

    input: Json
    output: Json
    variant: str
    by: Literal["teacher", "student"]
    why_teacher: WhyTeacher | None = None
    confidence: float | None = None
    release: str | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None  # the part of tokens_in that a prompt cache held
    tokens_out: int | None = None
    device: str | None = None
    seconds: Annotated[float, Field(ge=0)] = 0.0
    student_seconds: Annotated[float, Field(ge=0)] = 0.0
    audit_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    parent: str | None = None
    ended: Annotated[Ended, later(Ended.COMPLETE)] = Ended.COMPLETE
    first_seconds: Annotated[float | None, later(None)] = None  # to the answer's first byte
    key: Annotated[str | None, later(None)] = None  # of the Key that asked
    kept: Annotated[Literal["whole", "hashed", "redacted"], later("whole")] = "whole"
    tenant: Annotated[str | None, Field(max_length=200), later(None)] = None  # who was served
    common_rate: Annotated[float | None, Field(gt=0, le=1), later(None)] = None
    trial: Annotated[str | None, later(None)] = None  # the Trial in which it was answered
    aside: Annotated[Aside | None, later(None)] = None
