"""The cascade. Whatever goes wrong with a student, the teacher answers: it falls closed."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from feilun.errors import StoreError, TaskError, TrainerError
from feilun.ports import Clock, Engine, Prediction, Student
from feilun.records import Call, Json, Release, Task, WhyTeacher
from feilun.tasks import is_valid


@dataclass(frozen=True)
class Serving:
    """What the pointer points at, loaded: a student and the threshold it is certified for.

    `student` is None where the release's artefact could not be read.
    """

    release: Release
    student: Student | None


class Answerer:
    """Answers one task. `point` follows the pointer; `load` turns a release into a student."""

    def __init__(
        self,
        task: Task,
        teacher: Engine,
        clock: Clock,
        load: Callable[[Release], Student],
    ) -> None:
        self._task = task
        self._teacher = teacher
        self._clock = clock
        self._load = load
        self._serving: Serving | None = None

    def point(self, release: Release | None) -> None:
        """From now on answer as `release` says; None, or no variant, means the teacher."""
        if release is None or release.variant is None:
            self._serving = None
            return
        try:
            self._serving = Serving(release, self._load(release))
        except (StoreError, TrainerError):
            self._serving = Serving(release, None)

    def answer(
        self,
        input: Json,
        *,
        audit_rate: float,
        id: str | None = None,
        parent: str | None = None,
    ) -> Call:
        """Answer one input. Raises TaskError for the teacher's invalid output, or EngineError.

        `audit_rate` is the probability with which this call is to be audited.
        """
        facts: dict[str, Json] = {
            "id": id or self._clock.new_id(),
            "task": self._task.task,
            "at": self._clock.now(),
            "input": input,
            "audit_rate": audit_rate,
            "release": self._serving.release.id if self._serving else None,
            "parent": parent,
        }
        prediction, why, seconds = self._ask_student(input)
        facts["student_seconds"] = seconds
        facts["confidence"] = prediction.confidence if prediction else None
        if prediction and why is None and self._serving:
            return Call(
                **facts,
                output=prediction.output,
                variant=self._serving.release.variant or "",
                by="student",
                seconds=seconds,
                device="cpu",
            )
        return self._ask_teacher(facts, why)

    def _ask_student(self, input: Json) -> tuple[Prediction | None, WhyTeacher | None, float]:
        if self._serving is None:
            return None, WhyTeacher.NO_RELEASE, 0.0
        if self._serving.student is None:
            return None, WhyTeacher.UNREADABLE, 0.0
        started = time.perf_counter()
        prediction = self._serving.student.predict(input)
        seconds = round(time.perf_counter() - started, 6)
        if not is_valid(self._task, prediction.output):
            return prediction, WhyTeacher.INVALID, seconds
        threshold = self._serving.release.threshold
        if threshold is None or prediction.confidence < threshold:
            return prediction, WhyTeacher.UNSURE, seconds
        return prediction, None, seconds

    def _ask_teacher(self, facts: dict[str, Json], why: WhyTeacher | None) -> Call:
        said = self._teacher.answer(self._task, facts["input"])
        if not is_valid(self._task, said.output):
            raise TaskError(
                f"Task {self._task.task}: {self._teacher.name} answered {said.output!r}, which the "
                "output schema does not allow. Hold the engine to the schema (a grammar)."
            )
        return Call(
            **facts,
            output=said.output,
            variant=self._teacher.name,
            by="teacher",
            why_teacher=why,
            tokens_in=said.tokens_in,
            tokens_cached=said.tokens_cached,
            tokens_out=said.tokens_out,
            device=said.device,
            seconds=round(said.seconds + facts["student_seconds"], 6),
        )
