"""What is asked, who is at work to answer it, and how far a call has come."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from feilun.ports import Prediction, Student
from feilun.records import Json, WhyTeacher


class Asked(NamedTuple):
    """An input that wants an answer, and what its call is to say of who asked.

    `id` is the call's; without one it gets one. `key` is the `Key` that asked, `tenant` who
    is served.
    """

    input: Json
    id: str | None = None
    parent: str | None = None
    key: str | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """What a pointer or a trial points at, loaded, and from which confidence on it may serve.

    `student` is None where its artefact could not be read. `slices` are thresholds of their
    own, where the line is held per slice. `release` is that of the pointer.
    """

    variant: str
    student: Student | None
    threshold: float | None
    slices: Mapping[str, float] | None = None
    release: str | None = None


class Begun(NamedTuple):  # cheap to make: one for each call of a busy gateway
    """A call on its way: what the student said, and `why` the teacher has the last word.

    `why` is None where the student has it. `student_seconds` is this call's share of a
    batch, and `seconds` the whole batch, for which it waited.
    """

    asked: Asked
    id: str
    at: datetime
    audit_rate: float
    serving: Serving | None
    prediction: Prediction | None = None
    why: WhyTeacher | None = None
    student_seconds: float = 0.0
    seconds: float = 0.0
    trial: str | None = None
    common_rate: float | None = None  # of the others, where its slice is drawn more often


def missing(serving: Serving | None) -> WhyTeacher:
    """Why there is no student to ask."""
    return WhyTeacher.UNREADABLE if serving else WhyTeacher.NO_RELEASE


def predict(student: Student, asked: Sequence[Asked]) -> tuple[list[Prediction], float]:
    """What a student says of each input, and how long it took."""
    started = time.perf_counter()
    said = student.predict_many([each.input for each in asked])
    return said, round(time.perf_counter() - started, 6)
