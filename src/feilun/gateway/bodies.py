"""The bodies of Feilun's own API, as pydantic reads and OpenAPI shows them."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from feilun.gateway.problem import Problem
from feilun.records import Call, Json, Money, RedLine, Shot

# An id of ours is 26 characters; ids of other making may be longer, and none is a novel.
Id = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w.:-]+$")]


class Body(BaseModel):
    """What clients send: unknown fields are refused, so that no typing error goes unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CallBody(Body):
    """An input for a task."""

    input: Json
    parent: Id | None = None


class CorrectionBody(Body):
    """The right output, by a person."""

    said: Literal["correction"]
    output: Json


class RatingBody(Body):
    """Whether a person took the answer, and why not."""

    said: Literal["accepted", "rejected"]
    reason: Annotated[str | None, Field(max_length=2000)] = None


class OutcomeBody(Body):
    """What came of an answer, in a number."""

    said: Literal["outcome"]
    value: Annotated[float, Field(allow_inf_nan=False)]


FeedbackBody = Annotated[CorrectionBody | RatingBody | OutcomeBody, Field(discriminator="said")]
"""One of the three kinds of feedback, told apart by what is `said`."""


class AuditBody(Body):
    """The right output of a call that was drawn."""

    call: Id
    output: Json


Why = Annotated[str, Field(min_length=1, max_length=2000)]


class ShadowBody(Body):
    """Let a candidate speak beside each answer."""

    do: Literal["shadow"]
    candidate: Id
    reason: Why


class CanaryBody(Body):
    """Let the candidate of a certificate have the first word on a share of the calls."""

    do: Literal["canary"]
    certificate: Id
    share: Annotated[float, Field(gt=0, le=1)]
    reason: Why


class StopBody(Body):
    """End the trial of a task."""

    do: Literal["stop"]
    reason: Why


TrialBody = Annotated[ShadowBody | CanaryBody | StopBody, Field(discriminator="do")]
"""What to do with a task's trial."""


class SkipBody(Body):
    """A drawn call of which a person cannot tell what is right."""

    call: Id
    reason: Annotated[str | None, Field(max_length=2000)] = None


class TaskBody(Body):
    """A declaration."""

    instructions: Annotated[str, Field(min_length=1, max_length=100_000)]
    input_schema: dict[str, Json] = {"type": "string"}
    output_schema: dict[str, Json]
    red_line: RedLine
    shots: Annotated[tuple[Shot, ...], Field(max_length=1000)] = ()


class CallSaid(BaseModel):
    """An answered call, as its client gets it."""

    id: str
    task: str
    output: Json
    variant: str
    by: str
    why_teacher: str | None
    confidence: float | None
    release: str | None
    certificate: str | None
    seconds: float
    tokens_in: int | None
    tokens_out: int | None
    cost: Money | None


def said(call: Call, certificate: str | None, cost: Money | None) -> CallSaid:
    """What a client gets of a call."""
    return CallSaid(certificate=certificate, cost=cost, **call.model_dump(include=_OF_THE_CALL))


_OF_THE_CALL = set(CallSaid.model_fields) - {"certificate", "cost"}


def reader(kind: Any) -> Callable[[Json], Any]:
    """A function that reads bodies of a kind, which may be a union, so it has no one type.

    The function raises Problem with the place of the first thing that is wrong.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def read(value: Json) -> Any:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the body"
            said = f"{where}: {first['msg']}."
            raise Problem(422, said, code="invalid_body", param=where) from error

    return read


call_body: Callable[[Json], CallBody] = reader(CallBody)
feedback_body: Callable[[Json], CorrectionBody | RatingBody | OutcomeBody] = reader(FeedbackBody)
audit_body: Callable[[Json], AuditBody] = reader(AuditBody)
skip_body: Callable[[Json], SkipBody] = reader(SkipBody)
task_body: Callable[[Json], TaskBody] = reader(TaskBody)
trial_body: Callable[[Json], ShadowBody | CanaryBody | StopBody] = reader(TrialBody)
