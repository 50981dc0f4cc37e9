"""The cascade. Whatever goes wrong with a student, the teacher answers: it falls closed.

An answer is made in two steps, so that whoever waits for the teacher may wait as he likes:
`begin` asks the student, and where it has not the last word, `by_teacher` takes what the
teacher said. `answer` is both steps with the teacher that was attached.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from feilun.errors import EngineError, StoreError, TaskError, TrainerError
from feilun.ports import Answer, Clock, Engine, Prediction, Student
from feilun.records import Call, Ended, Json, Release, Task, WhyTeacher
from feilun.tasks import check_input, is_valid


class Asked(NamedTuple):
    """An input that wants an answer, and what its call is to say of who asked.

    `id` is the call's; without one it gets one. `key` is the `Key` that asked.
    """

    input: Json
    id: str | None = None
    parent: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """What the pointer points at, loaded: a student and the threshold it is certified for.

    `student` is None where the release's artefact could not be read.
    """

    release: Release
    student: Student | None


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


class Answerer:
    """Answers one task. `point` follows the pointer; `load` turns a release into a student.

    `load` gives None for a release that the task does not accept: then there is none. All
    may be called from any thread: a call goes on with the student that it began with.
    """

    def __init__(
        self,
        task: Task,
        teacher: Engine | None,
        clock: Clock,
        load: Callable[[Release], Student | None],
    ) -> None:
        self.task = task
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
            student = self._load(release)
        except (StoreError, TrainerError):
            self._serving = Serving(release, None)
        else:
            self._serving = Serving(release, student) if student else None

    def answer(
        self,
        input: Json,
        *,
        audit_rate: float,
        id: str | None = None,
        parent: str | None = None,
    ) -> Call:
        """Answer one input. `audit_rate` is the probability with which it is to be audited.

        Raises TaskError for an input or an output of the teacher that breaks its schema, and
        EngineError where the teacher does not answer.
        """
        if wrong := check_input(self.task, input):
            raise TaskError(f"Task {self.task.task}: {wrong}")
        begun = self.begin(Asked(input, id, parent), audit_rate=audit_rate)
        if begun.why is None:
            return self.by_student(begun)
        if self._teacher is None:
            raise EngineError(
                f"Task {self.task.task}: no teacher is attached. "
                f"Pass teachers={{{self.task.task!r}: engine}}."
            )
        return self.by_teacher(begun, self._teacher.answer(self.task, input), self._teacher.name)

    def begin(self, asked: Asked, *, audit_rate: float) -> Begun:
        """Ask the student: who has the last word?"""
        return self.begin_many([asked], audit_rate=audit_rate)[0]

    def begin_many(self, asked: Sequence[Asked], *, audit_rate: float) -> list[Begun]:
        """The same for several inputs at once, which costs each of them less."""
        ids = [each.id or self._clock.new_id() for each in asked]
        at, serving = self._clock.now(), self._serving
        if serving is None or serving.student is None:
            why = WhyTeacher.UNREADABLE if serving else WhyTeacher.NO_RELEASE
            return [
                Begun(each, id, at, audit_rate, serving, why=why)
                for each, id in zip(asked, ids, strict=True)
            ]
        said, seconds = _predict(serving.student, asked)
        share = round(seconds / max(len(asked), 1), 6)
        return [
            Begun(each, id, at, audit_rate, serving, one, self._why(serving, one), share, seconds)
            for each, id, one in zip(asked, ids, said, strict=True)
        ]

    def by_student(self, begun: Begun) -> Call:
        """The call that the student answered. Raises ValueError where it has not the last word."""
        if begun.why or not begun.prediction or not begun.serving:
            raise ValueError(f"call {begun.id} is the teacher's to answer: {begun.why}")
        return Call(
            **self._facts(begun),
            output=begun.prediction.output,
            variant=begun.serving.release.variant or "",
            by="student",
            seconds=begun.seconds,
            device="cpu",
        )

    def by_teacher(
        self,
        begun: Begun,
        said: Answer,
        variant: str,
        *,
        ended: Ended = Ended.COMPLETE,
        first_seconds: float | None = None,
    ) -> Call:
        """The call that `variant` answered. Raises TaskError for an invalid whole output."""
        if ended is Ended.COMPLETE and not is_valid(self.task, said.output):
            raise TaskError(
                f"Task {self.task.task}: {variant} answered {said.output!r}, which the "
                "output schema does not allow. Hold the engine to the schema (a grammar)."
            )
        return Call(
            **self._facts(begun),
            output=said.output,
            variant=variant,
            by="teacher",
            why_teacher=begun.why,
            tokens_in=said.tokens_in,
            tokens_cached=said.tokens_cached,
            tokens_out=said.tokens_out,
            device=said.device,
            seconds=round(said.seconds + begun.student_seconds, 6),
            first_seconds=first_seconds,
            ended=ended,
        )

    def _facts(self, begun: Begun) -> dict[str, Json]:
        """What a call says, whoever answered it."""
        return {
            "id": begun.id,
            "task": self.task.task,
            "at": begun.at,
            "input": begun.asked.input,
            "parent": begun.asked.parent,
            "key": begun.asked.key,
            "audit_rate": begun.audit_rate,
            "release": begun.serving.release.id if begun.serving else None,
            "confidence": begun.prediction.confidence if begun.prediction else None,
            "student_seconds": begun.student_seconds,
        }

    def _why(self, serving: Serving, said: Prediction) -> WhyTeacher | None:
        if not is_valid(self.task, said.output):
            return WhyTeacher.INVALID
        threshold = serving.release.threshold
        if threshold is None or said.confidence < threshold:
            return WhyTeacher.UNSURE
        return None


def _predict(student: Student, asked: Sequence[Asked]) -> tuple[list[Prediction], float]:
    """What the student says of each input, and how long it took."""
    started = time.perf_counter()
    said = student.predict_many([each.input for each in asked])
    return said, round(time.perf_counter() - started, 6)
