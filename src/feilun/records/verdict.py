"""Certificate and Refusal: the two answers of the red line."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from feilun.records.base import Record, later
from feilun.records.ledger import Money


class Verdict(Record):
    """What both verdicts say: who was judged, on what, at which look.

    `attempt` counts the looks at fresh audits in this task's life; look k may spend
    delta = (1 - confidence) * 6 / (pi^2 * k^2), so the looks together spend at most
    1 - confidence, however often the task is retrained.
    """

    declaration: str  # id of the Task whose red line was tested
    candidate: str
    dataset: str
    attempt: int
    max_loss: float
    delta: float
    audits: int  # calibration audits at hand
    bounds: Literal["correctness", "agreement"]  # judged by people, or by the teacher


class Slice(BaseModel):
    """What the audits of one look say of one slice of the calls that would be served.

    `loss_low` and `loss_high` are its 95 % interval. Where the line was asked per slice,
    `threshold` is the slice's own: None where it was not shown to hold, and the teacher
    answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # "label:refund", "language:zh", "tenant:acme"
    audits: int
    served: int
    loss: float | None
    loss_low: float
    loss_high: float
    threshold: float | None = None


class Certificate(Verdict):
    """The proof that a candidate holds the red line at `threshold` and above.

    With confidence 1 - `delta`: expected loss <= `max_loss` on calls whose
    confidence is at least `threshold`, for traffic like that of the audits. Where the line
    was asked per slice: in each of the `slices` that have a threshold, at that one;
    `threshold` is then the lowest of them, and the figures are of all that is served.
    """

    kind: ClassVar[str] = "certificate"

    threshold: float
    served: int  # audits at or above the threshold
    loss: float  # their mean loss: the estimate, not the bound
    loss_upper: float  # upper confidence limit of the loss at this threshold alone
    coverage: float  # served / audits
    coverage_low: float
    coverage_high: float
    slices: Annotated[tuple[Slice, ...], later(())] = ()  # the worst first
    slices_untold: Annotated[int, later(0)] = 0  # less bad ones that are left out


class WhyRefused(StrEnum):
    """Why a candidate got no certificate."""

    TOO_FEW_AUDITS = "too_few_audits"  # likely to fail for want of audits: no look was spent
    TOO_WEAK = "too_weak"  # above the line by its own expectation: no look was spent
    ABOVE_LINE = "above_line"  # at its most confident it is not shown to hold the line


class Refusal(Verdict):
    """What is still missing. `delta` is 0 where no look was spent."""

    kind: ClassVar[str] = "refusal"

    why: WhyRefused
    tested: int  # audits in the first set of calls that was tested
    loss: float | None  # their mean loss
    missing_audits: int | None  # more audits needed; None: none would help at this loss
    missing_cost: Money | None  # what they would cost; None: unknown price
