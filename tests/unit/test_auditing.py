"""The house's audits: people, the teacher, what it costs, and what is cut off in the middle."""

from decimal import Decimal

import pytest
from kiosk_log import Stand, opened

from feilun.errors import EngineError, InputError, TaskError
from feilun.house import House
from feilun.ports import Answer, Engine
from feilun.records import Audit, Call, Json, Posting, Skip, Task
from feilun.testing import FakeBook, FakeEngine
from feilun.testing.kiosk import KIOSK
from feilun.verify import verify
from feilun.watch import drawn

NAME = KIOSK.task


def served(customers: int = 120) -> Stand:
    """A stand whose student has served, and whose keeper was away: nobody has judged."""
    stand = opened()
    for line in stand.traffic[1000 : 1000 + customers]:
        stand.house.answer(NAME, line.text)
    return stand


def run(house: House, teacher: Engine, **more: Json) -> list[Audit]:
    done = house.asking.run(list(house.asking.queue()), lambda _: teacher, **more)
    return [each.audit for each in done if each.audit]


def test_the_teacher_judges_what_students_answered_and_agrees_with_itself_for_nothing() -> None:
    stand = served()
    calls = {id: stand.store.get(Call, id) for id in stand.house.asking.waiting(NAME)}
    by_student = [call for call in calls.values() if call.by == "student"]
    asked = len(stand.teacher.asked)
    audits = run(stand.house, stand.teacher)
    assert {audit.call for audit in audits} == set(calls)
    assert len(stand.teacher.asked) - asked == len(by_student) > 5
    for audit in audits:
        call = calls[audit.call]
        assert (audit.by, audit.rate) == ("teacher", call.audit_rate)
        if call.by == "teacher":
            assert (audit.output, audit.variant) == (call.output, call.variant)
    free = {f"audit:{a.id}" for a in audits if calls[a.call].by == "teacher"}
    assert free
    assert free.isdisjoint(p.cause for p in stand.store.read(Posting))
    assert stand.house.asking.waiting(NAME) == []
    assert [check.problem for check in verify(stand.house) if check.problem] == []


class Killed(BaseException):
    """As if the process had been killed."""


class Mortal:
    """A teacher in whose `nth` answer the process dies."""

    name = "fake-teacher"

    def __init__(self, teacher: FakeEngine, nth: int) -> None:
        self._teacher = teacher
        self._left = nth

    def answer(self, task: Task, input: Json) -> Answer:
        self._left -= 1
        if self._left == 0:
            raise Killed
        return self._teacher.answer(task, input)


@pytest.mark.parametrize("nth", [1, 3, 6])
def test_killed_in_the_middle_none_is_lost_and_none_is_asked_again(nth: int) -> None:
    stand = served()
    waiting = set(stand.house.asking.waiting(NAME))
    asked = len(stand.teacher.asked)
    with pytest.raises(Killed):
        run(stand.house, Mortal(stand.teacher, nth))
    again = House(
        stand.store, book=stand.house.book, clock=stand.clock, trainer=stand.house._trainer
    )
    run(again, stand.teacher)
    by_teacher = [a for a in stand.store.read(Audit) if a.by == "teacher"]
    assert sorted(a.call for a in by_teacher) == sorted(waiting)
    students = [id for id in waiting if stand.store.get(Call, id).by == "student"]
    assert len(stand.teacher.asked) - asked == len(students)


def test_two_jobs_at_once_give_a_call_one_audit_by_the_teacher() -> None:
    stand = served()
    call = stand.store.get(Call, stand.house.asking.waiting(NAME)[0])
    first = stand.house.asking.keep(call, Answer("fruit", 0.5, 10, None, 1), "one")
    second = stand.house.asking.keep(call, Answer("drinks", 0.4, 9, None, 1), "other")
    assert first == second
    assert second.variant == "one"


def test_the_estimate_is_what_the_teachers_calls_have_cost_and_comes_true() -> None:
    stand = served()
    ids = stand.house.asking.waiting(NAME)
    told = stand.house.asking.estimate(NAME, stand.teacher.name, ids)
    assert told.cost is not None
    assert told.low is not None
    assert told.high is not None
    audits = run(stand.house, stand.teacher)
    causes = {f"audit:{audit.id}" for audit in audits}
    spent = sum(p.amount or 0 for p in stand.store.read(Posting) if p.cause in causes)
    assert float(told.low) - 1e-9 <= float(spent) <= float(told.high) + 1e-9
    assert (told.calls, told.free < told.calls) == (len(ids), True)


def test_a_model_that_never_answered_has_no_known_price_and_fits_no_budget() -> None:
    stand = served()
    ids = stand.house.asking.waiting(NAME)
    assert stand.house.asking.estimate(NAME, "nobody", ids).cost is None
    unpriced = House(
        stand.store, book=FakeBook({}), clock=stand.clock, trainer=stand.house._trainer
    )
    with pytest.raises(InputError, match="A budget cannot be kept"):
        run(unpriced, stand.teacher, budget=Decimal(1))


def test_a_budget_is_never_exceeded_and_the_next_run_goes_on() -> None:
    stand = served()
    price = stand.house.asking.price(NAME, stand.teacher.name)
    assert price is not None
    waiting = len(stand.house.asking.waiting(NAME))
    asked = len(stand.teacher.asked)
    run(stand.house, stand.teacher, budget=price * 4 + price / 2)
    assert len(stand.teacher.asked) - asked == 4
    assert 0 < len(stand.house.asking.waiting(NAME)) < waiting


def test_a_teacher_that_is_not_there_ends_the_run_and_one_bad_answer_does_not() -> None:
    stand = served()
    stand.teacher.fail()
    with pytest.raises(EngineError):
        run(stand.house, stand.teacher)
    stand.teacher.recover()
    first = next(i for i in stand.house.asking.queue()
                 if stand.store.get(Call, i).by == "student")  # fmt: skip
    odd = stand.store.get(Call, first).input
    known = {line.text: line.said for line in stand.traffic if line.text != odd}
    done = list(stand.house.asking.run([*stand.house.asking.queue()], lambda _: FakeEngine(known)))
    assert [each.call for each in done if each.problem] == [first]


def test_a_skip_is_kept_and_shown_and_the_call_comes_last() -> None:
    stand = served()
    first = next(stand.house.auditing.to_audit(NAME))
    stand.house.auditing.skip(first, "the half of it is missing")
    assert [skip.call for skip in stand.store.read(Skip)] == [first.id]
    assert list(stand.house.auditing.to_audit(NAME))[-1].id == first.id
    told = stand.house.auditing.overview(NAME)
    assert told.skipped == 1
    assert told.skip_share == 1 / (1 + told.by_person)
    undrawn = next(call for call in stand.store.read(Call) if not drawn(call))
    with pytest.raises(TaskError, match="was not drawn"):
        stand.house.auditing.skip(undrawn)


def test_a_person_outranks_the_teacher_and_their_disagreement_is_told() -> None:
    stand = served(400)
    run(stand.house, stand.teacher)
    right = {line.text: line.gold for line in stand.traffic}
    seen = list(stand.house.auditing.to_audit(NAME))
    assert seen  # some of what the teacher has judged reaches people
    for call in seen:
        stand.house.auditing.audit(call, right[call.input])
    told = stand.house.auditing.overview(NAME)
    assert (told.both, told.waiting) == (len(seen), 0)
    assert told.disagreement is not None
    assert told.disagreement.audits == len(seen)
    judged = {call.id: audit for call, audit in stand.house.auditing.audited(NAME)}
    assert {judged[call.id].by for call in seen} == {"person"}


def test_after_a_release_calls_are_drawn_more_often_once_the_house_redraws() -> None:
    stand = opened()
    stand.house.watching.look()
    plain = stand.house.answer(NAME, stand.traffic[1500].text)
    stand.house.redraw()
    more = stand.house.answer(NAME, stand.traffic[1500].text)
    assert (plain.audit_rate, plain.common_rate) == (0.3, None)
    assert more.audit_rate > 0.7
    why = stand.house.auditing.overview(NAME).why
    assert why is not None
    assert why.release > 2.5
    stand.house.redraw(per_day=1.0)
    assert stand.house.answer(NAME, stand.traffic[1500].text).audit_rate < 1
    stand.house.rollback(NAME, "the shelves are being rebuilt")
    stand.house.watching.look()
    stand.house.redraw()
    assert stand.house.answer(NAME, stand.traffic[1500].text).audit_rate == 0.3


def test_a_student_is_drawn_even_where_no_audits_are_asked_for() -> None:
    stand = opened()
    stand.house.audit_rate = 0.0
    assert stand.house.answer(NAME, stand.traffic[1500].text).audit_rate == 0.01
