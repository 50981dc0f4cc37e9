"""A proposal: a task that raw traffic seems to be, and what keeps it from being adopted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from feilun.discovery.look import Shape
from feilun.discovery.why_not import WhyNot
from feilun.records import Json, Shot

Kind = Literal["labels", "fields", "text"]


@dataclass(frozen=True)
class Proposal:
    """One task in raw traffic. `id` follows from what is fixed in its requests alone.

    `system`, `head`, `tail`, `format`, `answer`, `field` are as in `Adoption`. `labels` counts
    the labels of a closed set, `surfaces` shows how each looks to a client. `share` is of all
    raw calls that were looked at.
    """

    id: str
    name: str
    kind: Kind
    system: str
    head: str
    tail: str
    format: dict[str, Json] | None
    answer: Shape
    field: str | None
    labels: Mapping[str, int]
    surfaces: Mapping[str, Json]
    output_schema: dict[str, Json]
    examples: tuple[Shot, ...]
    calls: int
    share: float
    models: Mapping[str, int]
    tokens_per_day: int | None  # None where no engine has counted them
    why_not: WhyNot | None

    @property
    def adoptable(self) -> bool:
        """Whether it can be adopted; else `why_not` says why not."""
        return self.why_not is None

    @property
    def instructions(self) -> str:
        """What the requests say around their input: the instructions of the task."""
        return "\n\n".join(part.strip() for part in (self.system, self.head, self.tail) if part)
