"""The cascade. Whatever goes wrong with a student, the teacher answers: it falls closed.

An answer is made in two steps, so that whoever waits for the teacher may wait as he likes:
`begin` asks the student, and where it has not the last word, `by_teacher` takes what the
teacher said. `answer` is both steps with the teacher that was attached.
"""

from collections.abc import Callable, Sequence
from functools import partial

from feilun.answer.begun import Asked, Begun, Serving, missing, predict
from feilun.answer.trying import Trying, begin_tried, beside
from feilun.errors import EngineError, StoreError, TaskError, TrainerError
from feilun.ports import Answer, Clock, Engine, Prediction, Student
from feilun.records import Call, Ended, Json, Release, Task, Trial, WhyTeacher
from feilun.tasks import (
    Drawing,
    check_input,
    check_tenant,
    common_rate,
    forbidden,
    is_valid,
    rate_of,
    threshold_of,
)


class Answerer:
    """Answers one task. `point` follows the pointer; `load` turns a release into a student.

    `load` gives None for a release that the task does not accept: then there is none. All
    may be called from any thread: a call goes on with the student that it began with.

    During a trial (`try_out`) the candidate or the incumbent has the first word, and
    `beside` adds to the finished call what the other would have said.
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
        self._trying: Trying | None = None
        self._drawing: Drawing | None = None

    def point(self, release: Release | None) -> None:
        """From now on answer as `release` says; None, or no variant, means the teacher."""
        if release is None or release.variant is None:
            self._serving = None
            return
        about = (release.threshold, release.slices, release.id)
        try:
            student = self._load(release)
        except (StoreError, TrainerError):
            self._serving = Serving(release.variant, None, *about)
        else:
            self._serving = Serving(release.variant, student, *about) if student else None

    def try_out(self, trial: Trial, student: Student) -> None:
        """From now on `student` is on trial."""
        candidate = Serving(trial.variant, student, trial.threshold, trial.slices)
        self._trying = Trying(trial, candidate)

    def draw(self, drawing: Drawing | None) -> None:
        """From now on draw calls for audits as `drawing` says; None, as often as is asked for."""
        self._drawing = drawing

    def answer(
        self,
        input: Json,
        *,
        audit_rate: float,
        id: str | None = None,
        parent: str | None = None,
        tenant: str | None = None,
    ) -> Call:
        """Answer one input. `audit_rate` is the probability with which it is to be audited.

        While a student serves it is never 0, and what `draw` was told multiplies it.

        Raises TaskError for an input or an output of the teacher that breaks its schema, and
        EngineError where the teacher does not answer.
        """
        if wrong := check_input(self.task, input):
            raise TaskError(f"Task {self.task.task}: {wrong}")
        if tenant is not None:
            check_tenant(tenant)
        begun = self.begin(Asked(input, id, parent, tenant=tenant), audit_rate=audit_rate)
        call = self.by_student(begun) if begun.why is None else self._ask_teacher(begun)
        return call if call.trial is None else self.beside([call])[0]

    def _ask_teacher(self, begun: Begun) -> Call:
        if self._teacher is None:
            raise EngineError(
                f"Task {self.task.task}: no teacher is attached. "
                f"Pass teachers={{{self.task.task!r}: engine}}."
            )
        said = self._teacher.answer(self.task, begun.asked.input)
        return self.by_teacher(begun, said, self._teacher.name)

    def begin(self, asked: Asked, *, audit_rate: float) -> Begun:
        """Ask the student: who has the last word?"""
        return self.begin_many([asked], audit_rate=audit_rate)[0]

    def begin_many(self, asked: Sequence[Asked], *, audit_rate: float) -> list[Begun]:
        """The same for several inputs at once, which costs each of them less."""
        ids = [each.id or self._clock.new_id() for each in asked]
        at, serving, trying = self._clock.now(), self._serving, self._trying
        if trying is not None:
            rate = common_rate(audit_rate, self._drawing)
            begin = partial(Begun, at=at, audit_rate=rate, trial=trying.trial.trial)
            return begin_tried(trying, serving, asked, ids, begin, self._why)
        if serving is None or serving.student is None:
            return [
                Begun(each, id, at, audit_rate, serving, why=missing(serving))
                for each, id in zip(asked, ids, strict=True)
            ]
        said, seconds = predict(serving.student, asked)
        share = round(seconds / max(len(asked), 1), 6)
        drawing = self._drawing
        common = common_rate(audit_rate, drawing)
        begun = []
        for each, id, one in zip(asked, ids, said, strict=True):
            why, rate = self._why(serving, each, one), common
            if why is None:
                rate = rate_of(common, drawing, each.input, one.output, each.tenant or each.key)
            begun.append(
                Begun(
                    each, id, at, rate, serving, one, why, share, seconds,
                    common_rate=common if rate > common else None,
                )
            )  # fmt: skip
        return begun

    def by_student(self, begun: Begun) -> Call:
        """The call that the student answered. Raises ValueError where it has not the last word."""
        if begun.why or not begun.prediction or not begun.serving:
            raise ValueError(f"call {begun.id} is the teacher's to answer: {begun.why}")
        return Call(
            **self._facts(begun),
            output=begun.prediction.output,
            variant=begun.serving.variant,
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

    def beside(self, calls: Sequence[Call]) -> list[Call]:
        """Finished calls of a trial, each with what whoever did not lead would have said.

        No call fails by it: where that one cannot answer, nothing is added. To be given the
        calls as they were answered, before their inputs are hashed or redacted.
        """
        return beside(self._trying, self._serving, calls, self._why) if self._trying else [*calls]

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
            "common_rate": begun.common_rate,
            "tenant": begun.asked.tenant,
            "trial": begun.trial,
            "release": begun.serving.release if begun.serving else None,
            "confidence": begun.prediction.confidence if begun.prediction else None,
            "student_seconds": begun.student_seconds,
        }

    def _why(self, serving: Serving, asked: Asked, said: Prediction) -> WhyTeacher | None:
        if not is_valid(self.task, said.output):
            return WhyTeacher.INVALID
        if forbidden(self.task, said.output):
            return WhyTeacher.FORBIDDEN
        threshold = serving.threshold
        if serving.slices is not None:
            tenant = asked.tenant or asked.key
            threshold = threshold_of(serving.slices, asked.input, said.output, tenant)
        if threshold is None or said.confidence < threshold:
            return WhyTeacher.UNSURE
        return None
