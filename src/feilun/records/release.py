"""Release: a move of a task's pointer."""

from typing import ClassVar, Literal

from feilun.records.base import Record


class Release(Record):
    """From `at` on, `variant` answers the task: a candidate, or None for the teacher.

    A certificate or a person moves the pointer to a student; a person moves it back.
    """

    kind: ClassVar[str] = "release"

    variant: str | None
    threshold: float | None = None
    by: Literal["certificate", "person"]
    certificate: str | None = None
    previous: str | None = None
    reason: str
