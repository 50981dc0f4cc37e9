"""Trial: a candidate is tried beside the incumbent before it is released."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from feilun.records.base import Record, later


class Trial(Record):
    """One state of a trial. `trial` names it for ever, and its latest record counts.

    In the shadow, `variant` says beside each call what it would have answered, and nobody
    is served by it: that needs no certificate. As a canary it has the first word on the
    share `share` of the calls, and the incumbent speaks beside it: that needs one.
    """

    kind: ClassVar[str] = "trial"

    trial: str
    variant: str
    threshold: float
    slices: Annotated[dict[str, float] | None, later(None)] = None  # as of a Release
    how: Literal["shadow", "canary"]
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    certificate: str | None = None
    reason: str
    ended: bool = False
