"""Release: a move of a task's pointer."""

from typing import Annotated, ClassVar, Literal

from feilun.records.base import Record, later


class Release(Record):
    """From `at` on, `variant` answers the task: a candidate, or None for the teacher.

    A certificate or a person moves the pointer to a student; an alarm or a person moves it
    back. Where the red line is held per slice, `slices` gives each slice its threshold, and
    a slice without one is the teacher's.
    """

    kind: ClassVar[str] = "release"

    variant: str | None
    threshold: float | None = None
    by: Literal["certificate", "person", "alarm"]
    certificate: str | None = None
    previous: str | None = None
    reason: str
    alarm: Annotated[str | None, later(None)] = None
    slices: Annotated[dict[str, float] | None, later(None)] = None
