"""The cascade: when the student has the last word, and every reason why it has not."""

from collections.abc import Callable

import pytest
from kiosk_log import NOON, Stand, opened

from feilun.answer import Answerer
from feilun.errors import Damaged, EngineError, NotFound, TaskError, TrainerError, Unreadable
from feilun.ports import Student
from feilun.records import Call, Candidate, Release, WhyTeacher
from feilun.testing import FakeClock, FakeEngine, FakeStudent
from feilun.testing.kiosk import KIOSK

STUDENT = FakeStudent(
    {'"sure"': ["fruit", 0.9], '"just"': ["fruit", 0.8], '"odd"': ["no shelf", 1.0]},
    ["fruit", 0.79],
)
RELEASE = Release(
    id="move-1", task=KIOSK.task, at=NOON, variant="student-1", threshold=0.8,
    by="certificate", certificate="proof", reason="it holds",
)  # fmt: skip


def always(student: Student) -> Callable[[Release], Student]:
    return lambda _: student


KNOWING = always(STUDENT)


def an_answerer(
    load: Callable[[Release], Student] = KNOWING,
    teacher: FakeEngine | None = None,
    release: Release | None = RELEASE,
) -> Answerer:
    answerer = Answerer(KIOSK, teacher or FakeEngine(lambda _: "drinks"), FakeClock(), load)
    answerer.point(release)
    return answerer


def ask(answerer: Answerer, input: object) -> Call:
    return answerer.answer(input, audit_rate=0.25)


def test_a_student_as_sure_as_it_was_certified_to_be_answers_alone() -> None:
    teacher = FakeEngine(lambda _: "drinks")
    for input in ("sure", "just"):
        call = ask(an_answerer(teacher=teacher), input)
        assert (call.by, call.variant, call.output) == ("student", "student-1", "fruit")
        assert (call.release, call.why_teacher) == ("move-1", None)
        assert (call.tokens_in, call.tokens_out) == (None, None)
        assert call.seconds == call.student_seconds
    assert teacher.asked == []


def test_a_student_below_its_threshold_leaves_the_word_to_the_teacher() -> None:
    call = ask(an_answerer(), "never seen")
    assert (call.by, call.variant, call.output) == ("teacher", "fake-teacher", "drinks")
    assert (call.why_teacher, call.confidence) == (WhyTeacher.UNSURE, 0.79)
    assert call.seconds == pytest.approx(0.5 + call.student_seconds)


@pytest.mark.parametrize("release", [None, RELEASE.model_copy(update={"variant": None})])
def test_without_a_release_the_teacher_answers(release: Release | None) -> None:
    call = ask(an_answerer(release=release), "sure")
    assert (call.by, call.why_teacher) == ("teacher", WhyTeacher.NO_RELEASE)
    assert (call.release, call.confidence, call.student_seconds) == (None, None, 0)


@pytest.mark.parametrize("error", [Unreadable, TrainerError, NotFound, Damaged])
def test_a_student_that_cannot_be_loaded_falls_closed(error: type[Exception]) -> None:
    def load(_: Release) -> Student:
        raise error("broken")

    call = ask(an_answerer(load), "sure")
    assert (call.by, call.why_teacher) == ("teacher", WhyTeacher.UNREADABLE)
    assert call.release == "move-1"


def test_an_output_that_the_schema_does_not_allow_falls_closed_however_sure() -> None:
    call = ask(an_answerer(), "odd")
    assert (call.by, call.output) == ("teacher", "drinks")
    assert (call.why_teacher, call.confidence) == (WhyTeacher.INVALID, 1.0)


def test_a_release_without_a_threshold_serves_nothing() -> None:
    release = RELEASE.model_copy(update={"threshold": None})
    assert ask(an_answerer(release=release), "sure").why_teacher == WhyTeacher.UNSURE


def test_every_reason_for_the_teacher_has_a_test_here() -> None:
    assert set(WhyTeacher) == {"no_release", "unsure", "unreadable", "invalid"}


def test_an_invalid_answer_of_the_teacher_is_an_error_of_the_task_that_says_what_to_do() -> None:
    answerer = an_answerer(teacher=FakeEngine(lambda _: "Drinks!"), release=None)
    with pytest.raises(TaskError, match=r"'Drinks!'.*Hold the engine to the schema"):
        ask(answerer, "tea")


def test_a_teacher_that_does_not_answer_is_an_error_and_a_sure_student_does_not_need_it() -> None:
    teacher = FakeEngine(lambda _: "drinks")
    teacher.fail("out of memory")
    answerer = an_answerer(teacher=teacher)
    assert ask(answerer, "sure").by == "student"
    with pytest.raises(EngineError, match="out of memory"):
        ask(answerer, "never seen")


def test_a_call_carries_what_the_teacher_counted_and_the_rate_of_its_audit() -> None:
    teacher = FakeEngine(lambda _: "drinks", seconds=1.25, tokens=(90, 4), tokens_cached=80)
    call = an_answerer(teacher=teacher, release=None).answer(
        "tea", audit_rate=0.25, id="my-id", parent="root"
    )
    assert (call.tokens_in, call.tokens_cached, call.tokens_out) == (90, 80, 4)
    assert (call.seconds, call.device) == (1.25, "fake")
    assert (call.id, call.parent, call.audit_rate) == ("my-id", "root", 0.25)


def test_the_answerer_follows_the_pointer_both_ways() -> None:
    answerer = an_answerer(release=None)
    answerer.point(RELEASE)
    assert ask(answerer, "sure").by == "student"
    answerer.point(RELEASE.model_copy(update={"id": "move-2", "variant": None}))
    assert ask(answerer, "sure").why_teacher == WhyTeacher.NO_RELEASE


# In a house


def test_an_answer_is_in_the_log_before_it_is_given() -> None:
    stand = Stand()
    call = stand.house.answer(KIOSK.task, stand.traffic[0].text)
    assert stand.store.get(Call, call.id) == call


def test_asking_without_keeping_leaves_no_trace() -> None:
    stand = Stand()
    stand.house.ask(KIOSK.task, stand.traffic[0].text)
    assert list(stand.store.read(Call)) == []


def test_a_call_that_failed_leaves_no_trace_and_the_next_one_is_answered() -> None:
    stand = Stand()
    stand.teacher.fail()
    with pytest.raises(EngineError):
        stand.house.answer(KIOSK.task, stand.traffic[0].text)
    assert list(stand.store.read(Call)) == []
    stand.teacher.recover()
    assert stand.house.answer(KIOSK.task, stand.traffic[0].text).by == "teacher"


def test_a_house_without_a_teacher_says_how_to_attach_one() -> None:
    stand = Stand()
    other = KIOSK.model_copy(update={"id": "other", "task": "kiosk.mood"})
    stand.house.declare(other)
    with pytest.raises(EngineError, match=r"kiosk.mood: no teacher is attached. Pass teachers="):
        stand.house.answer("kiosk.mood", "tea")


def test_a_task_that_was_never_declared_is_named_with_those_that_were() -> None:
    with pytest.raises(NotFound, match=r"'kiosk.self'.*kiosk.shelf"):
        Stand().house.answer("kiosk.self", "tea")


def test_a_released_artefact_with_a_changed_byte_falls_closed_in_a_new_house() -> None:
    before = opened()
    moved = before.house.pointer(KIOSK.task)
    assert moved is not None
    candidate = before.store.get(Candidate, moved.variant or "")
    before.store.spoil_blob(candidate.artefact)  # type: ignore[attr-defined]
    after = Stand(store=before.store, start=before.clock.now(), seed=1)
    assert {call.why_teacher for call in after.serve(5)} == {WhyTeacher.UNREADABLE}
