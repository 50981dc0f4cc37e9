"""The pointer: a certificate or a person moves it to a student, a person moves it back."""

import pytest
from kiosk_log import NOON, Stand, at, opened

from feilun.errors import NotFound, ReleaseError
from feilun.records import Alarm, Certificate, Release, WhyAlarm
from feilun.release import by_alarm, by_certificate, by_person, pointer, rollback
from feilun.tasks import declare
from feilun.testing.kiosk import KIOSK

CERTIFICATE = Certificate(
    id="proof", task=KIOSK.task, at=NOON, declaration="k", candidate="student-1",
    dataset="d", attempt=1,
    max_loss=0.05, delta=0.0608, audits=200, bounds="correctness", threshold=0.8, served=180,
    loss=0.01, loss_upper=0.04, coverage=0.9, coverage_low=0.85, coverage_high=0.94,
)  # fmt: skip


def certified(id: str = "move-1", previous: Release | None = None) -> Release:
    return by_certificate(CERTIFICATE, previous, id=id, at=at(1))


def test_a_certificate_releases_its_candidate_at_its_threshold_and_says_why() -> None:
    moved = certified()
    assert (moved.variant, moved.threshold) == ("student-1", 0.8)
    assert (moved.by, moved.certificate, moved.previous) == ("certificate", "proof", None)
    assert moved.reason == "loss at most 5.0% at confidence 93.92% on 90.0% of calls"


def test_every_move_names_the_one_before() -> None:
    first = certified()
    back = rollback(first, task=KIOSK.task, id="move-2", at=at(2), reason="odd answers")
    again = by_person(CERTIFICATE, back, id="move-3", at=at(3), reason="understood")
    assert (back.previous, again.previous) == ("move-1", "move-2")
    assert (back.variant, back.threshold, back.by) == (None, None, "person")
    assert (again.variant, again.by, again.reason) == ("student-1", "person", "understood")


@pytest.mark.parametrize("why", list(WhyAlarm))
def test_an_alarm_moves_the_pointer_back_to_the_teacher_and_says_why(why: WhyAlarm) -> None:
    alarm = Alarm(
        id="alarm-1", task=KIOSK.task, at=at(2), release="move-1", variant="student-1", why=why,
        alpha=0.03, evidence=33.0, seen=12, mean=0.4, limit=0.05, last="audit-12",
    )  # fmt: skip
    back = by_alarm(alarm, certified(), at=at(3))
    assert (back.variant, back.threshold, back.certificate) == (None, None, None)
    assert (back.by, back.alarm, back.previous) == ("alarm", "alarm-1", "move-1")
    assert back.reason
    assert by_alarm(alarm, certified(), at=at(3)) == back  # of two who see it, one moves it


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_person_gives_a_reason(reason: str) -> None:
    with pytest.raises(ReleaseError, match="Say why"):
        rollback(certified(), task=KIOSK.task, id="2", at=at(2), reason=reason)
    with pytest.raises(ReleaseError, match="Say why"):
        by_person(CERTIFICATE, None, id="2", at=at(2), reason=reason)


def test_where_the_teacher_answers_there_is_nothing_to_roll_back() -> None:
    back = rollback(certified(), task=KIOSK.task, id="2", at=at(2), reason="odd")
    for previous in (None, back):
        with pytest.raises(ReleaseError, match=r"kiosk.shelf: the teacher answers already"):
            rollback(previous, task=KIOSK.task, id="3", at=at(3), reason="odd")


def test_the_pointer_stands_where_the_last_move_left_it() -> None:
    assert pointer([]) is None
    assert pointer([certified("1"), certified("2")]) == certified("2")


def test_nothing_but_a_certificate_of_this_task_puts_a_student_to_work() -> None:
    stand = opened()
    certificate = next(iter(stand.store.read(Certificate)))
    other = declare("kiosk.mood", "Name it.", {}, KIOSK.output_schema, KIOSK.red_line)
    stand.house.declare(other)
    with pytest.raises(ReleaseError, match=r"is of task kiosk.shelf, not kiosk.mood"):
        stand.house.release("kiosk.mood", certificate.id, "why not")
    with pytest.raises(NotFound, match="certificate 'made up'"):
        stand.house.release(KIOSK.task, "made up", "why not")


def test_a_rollback_of_an_unknown_task_names_the_tasks_that_there_are() -> None:
    with pytest.raises(NotFound, match=r"'kiosk.self'.*Tasks: kiosk.shelf"):
        Stand().house.rollback("kiosk.self", "a typo")


def test_a_move_that_was_refused_leaves_no_trace() -> None:
    stand = Stand()
    with pytest.raises(ReleaseError):
        stand.house.rollback(KIOSK.task, "nothing to undo")
    assert list(stand.store.read(Release)) == []
