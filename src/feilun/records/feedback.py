"""Feedback and Audit: the two streams of judgement, kept apart.

People correct what they notice, so feedback is a biased sample: it trains. An
audit is drawn at random with a known probability: it certifies. A skip says that a person
could not judge what was drawn.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from feilun.records.base import Json, Record, later


class Feedback(Record):
    """What a person or the world said of a call, without being asked."""

    kind: ClassVar[str] = "feedback"

    call: str
    said: Literal["correction", "accepted", "rejected", "outcome"]
    output: Json = None  # the right output, of a correction
    value: float | None = None  # of an outcome: order value, minutes saved
    reason: Annotated[str | None, later(None)] = None  # of a rejection


class Audit(Record):
    """A call drawn at random with probability `rate`, and its right output.

    Where the teacher was asked for it, `variant` names the model, and tokens and seconds
    are what that took.
    """

    kind: ClassVar[str] = "audit"

    call: str
    rate: Annotated[float, Field(gt=0, le=1)]
    output: Json
    by: Literal["person", "teacher"]
    variant: Annotated[str | None, later(None)] = None
    tokens_in: Annotated[int | None, later(None)] = None
    tokens_cached: Annotated[int | None, later(None)] = None
    tokens_out: Annotated[int | None, later(None)] = None
    seconds: Annotated[float, Field(ge=0), later(0.0)] = 0.0


class Skip(Record):
    """A person looked at a drawn call and could not tell what is right. It stays unjudged.

    What people cannot tell is no random part of the calls, so skips are counted and shown
    beside what the audits say.
    """

    kind: ClassVar[str] = "skip"

    call: str
    reason: Annotated[str | None, Field(max_length=2000)] = None
