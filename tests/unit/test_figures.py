"""Figures: what a table or a page shows is a function of the log."""

from statistics import median

import pytest
from kiosk_log import Stand, opened

from feilun.figures import period
from feilun.records import Audit, Call, Ended, Posting, content_id
from feilun.testing import FakeBook
from feilun.testing.kiosk import KIOSK


def test_of_no_calls_there_are_no_figures() -> None:
    assert period(Stand().house, KIOSK.task, lambda _: True) is None


def test_the_figures_of_a_week_are_those_of_its_rows() -> None:
    stand = opened()
    week = {call.id for call in stand.serve(300)}
    found = period(stand.house, KIOSK.task, lambda call: call.id in week)
    assert found is not None
    calls = [call for call in stand.store.read(Call) if call.id in week]
    assert (found.calls, found.first, found.last) == (300, calls[0].at, calls[-1].at)
    assert found.student_share == sum(call.by == "student" for call in calls) / 300
    assert found.p50_seconds == median(call.seconds for call in calls)
    audits = [audit for audit in stand.store.read(Audit) if audit.call in week]
    assert found.risk is not None
    assert found.risk.audits == len(audits)
    said = {audit.call: audit.output for audit in audits}
    wrong = [call.output != said[call.id] for call in calls if call.id in said]
    assert found.risk.mean == pytest.approx(sum(wrong) / len(wrong))
    assert found.student_risk is not None
    assert found.student_risk.audits < found.risk.audits


def test_the_cost_is_that_of_the_postings_of_the_stretch() -> None:
    stand = opened()
    week = stand.serve(300)
    found = period(stand.house, KIOSK.task, lambda call: call.at >= week[0].at)
    rows = [p for p in stand.store.read(Posting) if week[0].at <= p.at <= week[-1].at]
    assert found is not None
    assert found.cost == pytest.approx(sum(float(p.amount or 0) for p in rows) * 1000 / 300)
    own = [p for p in rows if p.debit != "expense:teacher"]
    assert found.wheel_cost == pytest.approx(sum(float(p.amount or 0) for p in own) * 1000 / 300)


def test_served_calls_cost_less_than_the_teacher_did() -> None:
    stand = opened()
    last = stand.serve(300)[0].at
    before = period(stand.house, KIOSK.task, lambda call: call.by == "teacher" and call.at < last)
    after = period(stand.house, KIOSK.task, lambda call: call.at >= last)
    assert before is not None
    assert after is not None
    assert after.cost is not None
    assert before.cost is not None
    assert after.cost < before.cost / 2


def test_one_unknown_price_makes_the_cost_unknown_and_nothing_else() -> None:
    stand = Stand(book=FakeBook({"teacher:input_token": "0.0005"}))
    stand.serve(30)
    found = period(stand.house, KIOSK.task, lambda _: True)
    assert found is not None
    assert (found.cost, found.wheel_cost) == (None, None)
    assert found.calls == 30


def test_copies_of_raw_calls_are_left_out_and_parts_of_other_calls_are_not() -> None:
    stand = Stand()
    stand.serve(3)
    part = stand.house.answer(KIOSK.task, stand.traffic[0].text, parent="raw-1")
    copied = content_id([KIOSK.task, "raw-1"])
    stand.house.store.append(part.model_copy(update={"id": copied}))
    found = period(stand.house, KIOSK.task, lambda _: True)
    assert found is not None
    assert found.calls == 4
    assert period(stand.house, KIOSK.task, lambda call: call.id == copied) is None


def test_a_leg_that_was_overtaken_is_no_call_and_makes_the_cost_unknown() -> None:
    stand = Stand()
    (*_, last) = stand.serve(3)
    lost = {"id": f"{last.id}0", "ended": Ended.OVERTAKEN, "variant": "other", "tokens_in": None}
    stand.house.keep(last.model_copy(update={**lost, "tokens_out": None, "parent": last.id}))
    found = period(stand.house, KIOSK.task, lambda _: True)
    assert found is not None
    assert (found.calls, found.cost) == (3, None)


def test_without_audits_the_risk_is_unknown() -> None:
    stand = Stand(audit_rate=0)
    stand.serve(30)
    found = period(stand.house, KIOSK.task, lambda _: True)
    assert found is not None
    assert found.risk is None
