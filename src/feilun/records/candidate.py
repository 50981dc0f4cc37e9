"""Candidate: a trained variant that asks to be released."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from feilun.records.base import Json, Record


class Expected(BaseModel):
    """A guess: serving its surest share `coverage` of calls, it loses `loss` on average."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: float
    loss: float


class Candidate(Record):
    """`artefact` is the digest of a blob that the trainer named `trainer` can load.

    `expected` comes from held-out folds of the training data, of audits where there are
    enough. It plans the look at fresh audits; it proves nothing.
    """

    kind: ClassVar[str] = "candidate"

    dataset: str
    trainer: str
    params: dict[str, Json]  # what the trainer chose, on training data alone
    artefact: str
    examples: int
    expected: tuple[Expected, ...]
    seconds: float
    device: str
