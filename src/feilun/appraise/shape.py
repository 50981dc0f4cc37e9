"""What an appraisal says, as data: the documented shape `feilun.appraisal/1`.

`docs/reference/appraise.md` describes every key. A key is never taken away or given
another meaning under the same name of the schema.
"""

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class LeftOut(_Part):
    """Rows that were not used, by reason; `lines` names the first 20 of them."""

    reason: str
    rows: int
    lines: list[int]


class Missing(_Part):
    """Why there is no certificate, and how many more rows would help (None: none would)."""

    why: str
    rows: int | None
    of: Literal["rows", "gold_rows"]
    says: str


class Saving(_Part):
    """Money saved by the calls that the student would serve. None is unknown; `why` says why."""

    currency: str | None
    per_1000_calls: Decimal | None
    period: Decimal | None
    calls: int
    days: float | None
    served_share: float
    teacher_per_1000_calls: Decimal | None
    student_per_1000_calls: Decimal | None
    why: str | None


class Teacher(_Part):
    """How often the log's own answers are wrong by gold, with a 95 % interval."""

    rows: int
    error: float
    error_low: float
    error_high: float


class Holdout(_Part):
    """What happened on the youngest inputs, which decided nothing. Intervals are 95 %."""

    rows: int
    coverage: float
    served: int
    loss: float | None
    loss_low: float | None
    loss_high: float | None


class TaskReport(_Part):
    """One task of the log and what a student could serve of it."""

    name: str
    kind: str
    rows: int
    inputs: int
    labels: list[str]
    verdict: Literal["certified", "refused", "not_judged"]
    bounds: Literal["correctness", "agreement"] | None
    bound: float
    confidence: float
    delta: float
    order: Literal["time", "file", "shuffled"]
    train: int
    n: int
    threshold: float | None
    coverage: float | None
    coverage_low: float | None
    coverage_high: float | None
    served_loss: float | None
    served_loss_upper: float | None
    calls_loss: float | None
    baseline_loss: float | None
    holdout: Holdout | None
    teacher: Teacher | None
    missing: Missing | None
    saving: Saving | None
    repeats: int
    conflicts: int
    near_duplicates: int
    left_out: list[LeftOut]
    notes: list[str]


class Line(_Part):
    """The red line that was asked for."""

    max_loss: float
    confidence: float


class Tariff(_Part):
    """One price that was used, who says so and since when."""

    item: str
    amount: Decimal
    unit: str
    source: str
    since: date


class Prices(_Part):
    """The price book that was given."""

    file: str
    currency: str
    items: list[Tariff]


class Appraisal(_Part):
    """What a log is worth: its tasks, the largest first, and the rows that could not be read."""

    schema_: Literal["feilun.appraisal/1"] = Field("feilun.appraisal/1", alias="schema")
    version: str
    file: str
    format: Literal["jsonl", "table"]
    columns: dict[str, str]
    rows: int
    broken: list[LeftOut]
    red_line: Line
    prices: Prices | None
    tasks: list[TaskReport]
    notes: list[str]
    seconds: float


def to_json(appraisal: Appraisal) -> str:
    """An appraisal as JSON in the documented shape. Amounts of money are strings."""
    return appraisal.model_dump_json(by_alias=True, indent=2)
