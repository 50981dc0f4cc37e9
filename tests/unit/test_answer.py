"""The cascade: when the student has the last word, and every reason why it has not."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import pytest
from kiosk_log import NOON, Stand, moved, opened

from feilun.answer import Answerer, Asked
from feilun.errors import Damaged, EngineError, NotFound, TaskError, TrainerError, Unreadable
from feilun.house import House
from feilun.ports import Answer, Prediction, Store, Student
from feilun.records import (
    Adoption,
    Call,
    Candidate,
    Certificate,
    Ended,
    Json,
    Never,
    Release,
    Task,
    WhyTeacher,
)
from feilun.store import open_store
from feilun.testing import FakeBook, FakeClock, FakeEngine, FakeStudent
from feilun.testing.kiosk import KIOSK
from feilun.training.linear import LinearTrainer

STUDENT = FakeStudent(
    {'"sure"': ["fruit", 0.9], '"just"': ["fruit", 0.8], '"odd"': ["no shelf", 1.0]},
    ["fruit", 0.79],
)
RELEASE = Release(
    id="move-1", task=KIOSK.task, at=NOON, variant="student-1", threshold=0.8,
    by="certificate", certificate="proof", reason="it holds",
)  # fmt: skip


Load = Callable[[Release], Student | None]


def always(student: Student) -> Load:
    return lambda _: student


KNOWING = always(STUDENT)


def an_answerer(
    load: Load = KNOWING,
    teacher: FakeEngine | None = None,
    release: Release | None = RELEASE,
    task: Task = KIOSK,
) -> Answerer:
    answerer = Answerer(task, teacher or FakeEngine(lambda _: "drinks"), FakeClock(), load)
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


def test_an_output_that_must_never_be_given_falls_closed_however_sure() -> None:
    rule = Never(name="no fruit", answer={"const": "fruit"})
    line = KIOSK.red_line.model_copy(update={"never": (rule,)})
    task = KIOSK.model_copy(update={"id": "no-fruit", "red_line": line})
    call = ask(an_answerer(task=task), "sure")
    assert (call.by, call.output, call.confidence) == ("teacher", "drinks", 0.9)
    assert call.why_teacher == WhyTeacher.FORBIDDEN


def test_a_release_without_a_threshold_serves_nothing() -> None:
    release = RELEASE.model_copy(update={"threshold": None})
    assert ask(an_answerer(release=release), "sure").why_teacher == WhyTeacher.UNSURE


def test_every_reason_for_the_teacher_has_a_test_here() -> None:
    of_tasks = set(WhyTeacher) - {WhyTeacher.NO_TASK}  # a raw call has no student to ask
    assert of_tasks == {"no_release", "unsure", "unreadable", "invalid", "forbidden"}


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


# In two steps, for whoever does not want to stand and wait for the teacher

SAID = Answer("drinks", seconds=0.5, tokens_in=100, tokens_out=5)


def test_both_steps_give_the_call_that_one_would() -> None:
    for input, by in (("sure", "student"), ("never seen", "teacher")):
        answerer = an_answerer()
        begun = answerer.begin(Asked(input, id="1", parent="root"), audit_rate=0.25)
        call = (
            answerer.by_student(begun)
            if begun.why is None
            else answerer.by_teacher(begun, SAID, "fake-teacher")
        )
        whole = an_answerer().answer(input, audit_rate=0.25, id="1", parent="root")
        timed = {"seconds", "student_seconds", "device"}
        assert call.by == by
        assert call.model_dump(exclude=timed) == whole.model_dump(exclude=timed)


def test_a_call_names_the_key_that_asked() -> None:
    answerer = an_answerer()
    begun = answerer.begin(Asked("sure", key="key-1"), audit_rate=0)
    assert answerer.by_student(begun).key == "key-1"
    assert answerer.by_teacher(begun, SAID, "large").key == "key-1"


def test_many_are_begun_as_one_would_be_each_with_its_own_id() -> None:
    answerer = an_answerer()
    inputs = ["sure", "never seen", "odd", "just"]
    many = answerer.begin_many([Asked(input) for input in inputs], audit_rate=0.1)
    alone = [answerer.begin(Asked(input), audit_rate=0.1) for input in inputs]
    assert [b.asked.input for b in many] == inputs
    assert [b.prediction for b in many] == [b.prediction for b in alone]
    assert [b.why for b in many] == [b.why for b in alone]
    assert len({b.id for b in many}) == 4
    assert answerer.begin_many([], audit_rate=0.1) == []


def test_many_share_the_time_of_their_student_and_each_waited_for_all_of_it() -> None:
    answerer = an_answerer(always(SlowStudent({}, ["fruit", 0.9])))
    for begun in answerer.begin_many([Asked("tea"), Asked("cola")], audit_rate=0):
        call = answerer.by_student(begun)
        assert 0 < call.student_seconds == pytest.approx(call.seconds / 2, abs=2e-6)


class SlowStudent(FakeStudent):
    """Takes a time that can be measured."""

    def predict_many(self, inputs: Sequence[Json]) -> list[Prediction]:
        started = perf_counter()
        while perf_counter() < started + 1e-4:
            pass
        return super().predict_many(inputs)


def test_a_call_goes_on_with_the_student_that_it_began_with() -> None:
    answerer = an_answerer()
    begun = answerer.begin(Asked("sure"), audit_rate=0)
    answerer.point(None)
    assert answerer.by_student(begun).release == "move-1"


def test_what_is_the_teachers_to_answer_is_not_taken_from_the_student() -> None:
    answerer = an_answerer()
    with pytest.raises(ValueError, match="teacher's to answer: unsure"):
        answerer.by_student(answerer.begin(Asked("never seen"), audit_rate=0))


def test_an_answer_that_broke_off_is_a_call_whatever_it_says() -> None:
    answerer = an_answerer(release=None)
    begun = answerer.begin(Asked("tea"), audit_rate=0)
    half = Answer("dri", seconds=0.5)
    call = answerer.by_teacher(begun, half, "large", ended=Ended.ENGINE_BROKE, first_seconds=0.1)
    assert (call.output, call.ended, call.first_seconds) == ("dri", Ended.ENGINE_BROKE, 0.1)


def test_a_release_that_the_task_does_not_accept_is_none() -> None:
    call = ask(an_answerer(lambda _: None), "sure")
    assert (call.why_teacher, call.release) == (WhyTeacher.NO_RELEASE, None)


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


def test_a_release_whose_proof_was_damaged_falls_closed_in_a_new_house() -> None:
    before = opened()
    moved = before.house.pointer(KIOSK.task)
    assert moved is not None
    proof = before.store.get(Certificate, moved.certificate or "")
    before.store.spoil(proof)  # type: ignore[attr-defined]
    after = Stand(store=before.store, start=before.clock.now(), seed=1)
    assert {call.why_teacher for call in after.serve(5)} == {WhyTeacher.UNREADABLE}


def test_a_house_without_a_teacher_answers_what_its_student_is_sure_of() -> None:
    house = a_house(opened().store)
    assert house.answer(KIOSK.task, "来两个面包").output == "bakery"
    with pytest.raises(EngineError, match="no teacher is attached"):
        house.answer(KIOSK.task, "the usual")


# Following what others do to the same store


def a_house(store: Store, seed: int = 1) -> House:
    return House(store, book=FakeBook(), clock=FakeClock(NOON, seed), trainer=LinearTrainer())


def test_what_is_new_is_told_once() -> None:
    stand = Stand()
    house = a_house(stand.store)
    assert house.refresh() == [KIOSK.task]
    assert house.refresh() == []
    stand.clock.advance(timedelta(minutes=1))
    stand.house.declare(KIOSK.model_copy(update={"instructions": "Name the shelf, please."}))
    assert house.refresh("kiosk.mood") == []
    assert house.refresh(KIOSK.task) == [KIOSK.task]
    assert house.answerer(KIOSK.task).task.instructions == "Name the shelf, please."


def test_an_adoption_is_news_of_its_task() -> None:
    stand = Stand()
    stand.house.refresh()
    stand.store.append(Adoption(id="1", task=KIOSK.task, at=NOON, system="Name the shelf."))
    assert stand.house.refresh() == [KIOSK.task]


def test_a_rollback_and_a_release_of_another_house_are_followed() -> None:
    stand = opened()
    other = a_house(stand.store)
    released = other.pointer(KIOSK.task)
    assert released is not None
    why = other.answerer(KIOSK.task).begin(Asked("green tea"), audit_rate=0).why
    assert why is not WhyTeacher.NO_RELEASE
    stand.house.rollback(KIOSK.task, "odd answers")
    assert other.refresh() == [KIOSK.task]
    begun = other.answerer(KIOSK.task).begin(Asked("green tea"), audit_rate=0)
    assert begun.why is WhyTeacher.NO_RELEASE
    stand.house.release(KIOSK.task, released.certificate or "", "it was the data")
    other.refresh()
    begun = other.answerer(KIOSK.task).begin(Asked("green tea"), audit_rate=0)
    assert begun.why is not WhyTeacher.NO_RELEASE


def test_a_rollback_in_another_process_is_followed(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        moved(opened(), store)
        house = a_house(store)
        house.refresh()
        command = ["rollback", KIOSK.task, "--reason", "odd answers", "--store", str(tmp_path)]
        code = f"from feilun.cli import main; import sys; sys.argv[1:] = {command!r}; main()"
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        assert house.refresh() == [KIOSK.task]
        begun = house.answerer(KIOSK.task).begin(Asked("green tea"), audit_rate=0)
        assert begun.why is WhyTeacher.NO_RELEASE


def test_a_task_that_cannot_be_followed_does_not_keep_others_from_it() -> None:
    stand = Stand()
    lost = Release(id="1", task="kiosk.lost", at=NOON, variant=None, by="person", reason="-")
    stand.store.append(lost)
    assert stand.house.refresh() == [KIOSK.task]
    with pytest.raises(NotFound, match=r"kiosk\.lost"):
        stand.house.answerer("kiosk.lost")
