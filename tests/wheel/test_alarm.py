"""What was certified is watched: the world changes, and the wheel takes the student back."""

from kiosk_log import opened

from feilun.records import Alarm, WhyAlarm, WhyTeacher
from feilun.testing.kiosk import KIOSK
from feilun.verify import verify


def test_a_student_whose_world_changed_is_called_back_and_a_new_one_takes_its_place() -> None:
    # A student is at work, and holds its line: the evidence against it stays where it was.
    kiosk = opened()
    house = kiosk.house
    week = kiosk.serve(300)
    assert house.watching.look() == []
    (risk,) = house.guarding.standing(KIOSK.task)
    assert risk.evidence < 2 < risk.needed
    first = house.pointer(KIOSK.task)
    assert first is not None
    assert {call.variant for call in week if call.by == "student"} == {first.variant}

    # One night the shelves are rearranged. Customers ask as before, so nothing shows it but
    # the audits, and a few of them are enough.
    kiosk.rearrange()
    kiosk.serve(60)
    (alarm,) = house.store.read(Alarm)
    assert (alarm.why, alarm.variant) == (WhyAlarm.RISK, first.variant)
    assert (alarm.evidence or 0) * alarm.alpha > 0.999

    # The pointer is back at the teacher, who knows the new shelves, and says who moved it.
    back = house.pointer(KIOSK.task)
    assert back is not None
    assert (back.variant, back.by, back.alarm) == (None, "alarm", alarm.id)
    assert {call.why_teacher for call in kiosk.serve(20)} == {WhyTeacher.NO_RELEASE}

    # What was learnt on the old shelves cannot come back by itself. The wheel turns on.
    kiosk.serve(700)
    turned = kiosk.turn()
    assert turned.candidate.id != alarm.variant

    # And the alarm, like all else, is derived again from the log.
    checks = list(verify(house))
    assert "alarm" in {check.kind for check in checks}
    assert [check.problem for check in checks if check.problem] == []
