"""The guard of a released student: each limit calls it back, and nothing else does."""

import math
from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiosk_log import a_call, an_audit, at

from feilun import datasets
from feilun.errors import TaskError
from feilun.records import (
    Audit,
    Call,
    Json,
    Money,
    Never,
    RedLine,
    Release,
    WhyAlarm,
    encode,
)
from feilun.tasks import broken_never, declare, forbidden
from feilun.testing.kiosk import KIOSK
from feilun.watch import Drifting, Found, Guard, Novelty, alpha_of

MOVE = Release(
    id="move-1", task=KIOSK.task, at=at(0), variant="student-1", threshold=0.5, by="certificate",
    certificate="proof-1", reason="certified",
)  # fmt: skip
CENT = Money(amount=Decimal("0.01"), currency="EUR")


def a_guard(number: int = 1, cost: Money | None = CENT, **line: Json) -> Guard:
    limits = RedLine(**{"max_loss": 0.1, **line})
    return Guard(KIOSK.model_copy(update={"red_line": limits}), MOVE, number, lambda _: cost)


def served(id: str, output: str = "fruit", **more: Json) -> Call:
    """A call that the watched student answered."""
    call = a_call(id, output=output, by="student", release="move-1", **more)
    return call.model_copy(update={"variant": "student-1"})


def judge(guard: Guard, rights: Iterable[str], start: int = 0, **more: Json) -> Found | None:
    """Audit calls that were answered "fruit", until something is found."""
    audits = ((n, right) for n, right in enumerate(rights, start))
    found = (
        guard.audit(served(f"c{n}", **more), an_audit(f"c{n}", right, id=f"a{n:04}"))
        for n, right in audits
    )
    return next((each for each in found if each), None)


RIGHT, WRONG = "fruit", "drinks"


# The share of the lifetime budget


@given(st.floats(0.001, 0.4), st.integers(1, 3))
def test_all_limits_of_all_students_of_a_life_spend_no_more_than_the_budget(
    budget: float, limits: int
) -> None:
    more: dict[str, Json] = {"p95_seconds": 1.0} if limits > 1 else {}
    more |= {"cost_per_accepted": CENT} if limits > 2 else {}
    line = RedLine(max_loss=0.1, false_alarms=budget, **more)
    spent = math.fsum(limits * alpha_of(line, number) for number in range(1, 3000))
    assert 0.99 * budget < spent < budget


# Risk


def test_a_student_that_holds_its_line_is_left_at_work() -> None:
    assert judge(a_guard(), ([RIGHT] * 19 + [WRONG]) * 20) is None


def test_audits_that_show_too_many_wrong_answers_raise_an_alarm_that_says_why() -> None:
    guard = a_guard()
    found = judge(guard, [RIGHT, WRONG] * 40)
    assert found is not None
    alarm = guard.alarm(found, at(99))
    assert (alarm.why, alarm.release, alarm.variant) == (WhyAlarm.RISK, "move-1", "student-1")
    assert alarm.evidence == pytest.approx(1 / alarm.alpha)
    assert alarm.alpha == pytest.approx(0.05 * 6 / math.pi**2)
    assert (alarm.limit, alarm.last) == (0.1, f"a{alarm.seen - 1:04}")
    assert alarm.mean == pytest.approx(0.5, abs=0.1)


def test_what_others_answered_is_no_evidence_against_the_student() -> None:
    guard = a_guard()
    others = (
        a_call("t", output="fruit", release="move-1"),  # the teacher, where it was unsure
        served("o").model_copy(update={"release": "move-0"}),
        served("v").model_copy(update={"variant": "student-2"}),  # on trial
    )
    for n in range(200):
        call = others[n % 3].model_copy(update={"id": f"{n}"})
        assert guard.audit(call, an_audit(call.id, WRONG)) is None
    assert guard.processes[WhyAlarm.RISK].seen == 0


def test_a_later_student_must_be_shown_more_before_it_is_called_back() -> None:
    first, third = a_guard(number=1), a_guard(number=3)
    judge(first, [WRONG] * 99)
    judge(third, [WRONG] * 99)
    assert first.processes[WhyAlarm.RISK].seen < third.processes[WhyAlarm.RISK].seen


# A person's audit outranks a teacher's


def test_a_person_who_agrees_with_the_teacher_changes_nothing() -> None:
    guard = a_guard()
    call = served("c")
    guard.audit(call, an_audit("c", WRONG, by="teacher", minutes=1))
    then = guard.processes[WhyAlarm.RISK].evidence
    guard.audit(call, an_audit("c", WRONG, by="person", minutes=2))
    assert guard.processes[WhyAlarm.RISK].evidence == then
    assert guard.processes[WhyAlarm.RISK].seen == 1


def test_a_person_who_does_not_agree_with_the_teacher_is_the_one_who_counts() -> None:
    told_twice, told_once = a_guard(), a_guard()
    for n in range(12):
        call, minutes = served(f"c{n}"), n * 10
        told_twice.audit(call, an_audit(call.id, WRONG, minutes, by="teacher"))
        told_twice.audit(call, an_audit(call.id, RIGHT, minutes + 1))
        told_once.audit(call, an_audit(call.id, RIGHT, minutes + 1))
    risk = WhyAlarm.RISK
    assert told_twice.processes[risk].evidence == told_once.processes[risk].evidence
    assert told_twice.mean(risk) == 0


def test_a_teacher_who_comes_after_a_person_is_not_heard() -> None:
    guard = a_guard(never=[{"name": "tea", "answer": {}, "right": {"const": WRONG}}])
    guard.audit(served("c"), an_audit("c", RIGHT, 1, by="person"))
    assert guard.audit(served("c"), an_audit("c", WRONG, 2, by="teacher")) is None
    assert guard.mean(WhyAlarm.RISK) == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(["person", "teacher"]), st.integers(0, 3),
            st.sampled_from([RIGHT, WRONG]),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_the_audit_that_counts_here_is_the_one_that_counts_in_datasets(
    said: list[tuple[int, str, int, str]],
) -> None:
    guard = a_guard(max_loss=0.9)  # no twelve audits can break it
    audits: dict[str, list[Audit]] = {}
    for n, (call, by, minutes, right) in enumerate(said):
        audit = an_audit(f"c{call}", right, minutes, by, id=f"a{n}")  # type: ignore[arg-type]
        audits.setdefault(audit.call, []).append(audit)
        guard.audit(served(f"c{call}"), audit)
    deciding = [datasets.deciding_audit(each) for each in audits.values()]
    wrong = [float(audit.output == WRONG) for audit in deciding]
    expected = sum(wrong) / len(wrong) if wrong else None
    assert guard.mean(WhyAlarm.RISK) == (pytest.approx(expected) if wrong else None)


# Speed


def test_one_answer_in_thirty_may_be_slow_and_one_in_five_may_not() -> None:
    def watch(every: int) -> Found | None:
        guard = a_guard(p95_seconds=0.5)
        calls = (served(f"c{n}", seconds=0.6 if n % every == 0 else 0.5) for n in range(600))
        return next((found for call in calls if (found := guard.call(call))), None)

    assert watch(30) is None
    found = watch(5)
    assert found is not None
    assert found.why is WhyAlarm.SLOW


def test_a_teacher_may_be_slow_and_so_may_all_where_no_limit_is_set() -> None:
    limited, free = a_guard(p95_seconds=0.5), a_guard()
    for n in range(100):
        assert limited.call(a_call(f"{n}", release="move-1", seconds=9)) is None
        assert free.call(served(f"{n}", seconds=9)) is None


# Cost


def test_a_result_that_costs_more_than_it_may_calls_the_student_back() -> None:
    # A cent a call, and every third is wrong: an accepted result costs one and a half.
    dear = a_guard(max_loss=0.9, cost_per_accepted=Money(amount="0.012", currency="EUR"))
    found = judge(dear, [RIGHT, RIGHT, WRONG] * 300)
    assert found is not None
    alarm = dear.alarm(found, at(1))
    assert (alarm.why, alarm.limit) == (WhyAlarm.COST, 0.012)
    assert alarm.mean == pytest.approx(0.015, rel=0.1)
    cheap = a_guard(max_loss=0.9, cost_per_accepted=Money(amount="0.016", currency="EUR"))
    assert judge(cheap, [RIGHT, RIGHT, WRONG] * 300) is None


@pytest.mark.parametrize("cost", [None, Money(amount=Decimal(9), currency="USD")])
def test_an_unknown_cost_is_no_evidence(cost: Money | None) -> None:
    guard = a_guard(cost=cost, cost_per_accepted=CENT)
    assert judge(guard, [RIGHT] * 50) is None
    assert guard.processes[WhyAlarm.COST].seen == 0
    assert guard.mean(WhyAlarm.COST) is None


# What must never be


NEVER = {"name": "no fruit for tea", "answer": {"const": "fruit"}, "right": {"const": "drinks"}}


def test_one_audit_that_finds_a_forbidden_answer_is_enough() -> None:
    guard = a_guard(max_loss=0.9, never=[NEVER])
    assert judge(guard, [RIGHT, "papers", RIGHT]) is None
    found = judge(guard, ["drinks"], start=3)
    assert found == Found(WhyAlarm.NEVER, "a0003", "no fruit for tea")
    assert found is not None
    alarm = guard.alarm(found, at(1))
    assert (alarm.evidence, alarm.mean, alarm.seen, alarm.rule) == (None, None, 4, NEVER["name"])


def test_a_rule_needs_both_its_sides_and_one_without_a_right_side_is_for_what_is_served() -> None:
    alone = Never(name="no papers", answer={"const": "papers"})
    line = RedLine(max_loss=0.1, never=(Never.model_validate(NEVER), alone))
    task = KIOSK.model_copy(update={"id": "with-rules", "red_line": line})
    assert broken_never(task, "fruit", "drinks") == line.never[0]
    assert broken_never(task, "fruit", "papers") is None
    assert broken_never(task, "papers", "drinks") is None
    assert forbidden(task, "papers") == alone
    assert forbidden(task, "fruit") is None


def test_a_rule_that_is_no_schema_is_refused_when_the_task_is_declared() -> None:
    line = RedLine(max_loss=0.1, never=(Never(name="odd", answer={"type": "fruit"}),))
    with pytest.raises(TaskError, match="never 'odd' schema"):
        declare("kiosk.odd", "Name it.", {}, KIOSK.output_schema, line)


# Drift


def test_a_student_that_doubts_more_than_before_and_new_words_are_a_drift_each() -> None:
    drifting = Drifting(MOVE, Novelty(["a cup of green tea", "two cups of green tea"]))
    found = []
    for n in range(1200):
        late = n >= 900
        call = served(
            f"call-{n}", input="zwei Laugenbrezeln" if late else "a cup of green tea",
            confidence=0.55 + n % 7 / 100 if late else 0.9 + n % 9 / 100,
        )  # fmt: skip
        found += drifting.call(call)
        assert late or not found
    assert {drift.what for drift in found} == {"confidence", "input"}
    first = found[0]
    assert first.evidence >= first.limit == 100
    assert 900 < first.seen < 1000
    assert (first.release, first.last) == ("move-1", f"call-{first.seen - 1}")


def test_a_drift_found_again_is_the_same_record() -> None:
    def drifts() -> list[bytes]:
        drifting = Drifting(MOVE, None)
        calls = (served(f"c{n}", confidence=0.9 if n < 300 else 0.6) for n in range(450))
        return [encode(drift) for call in calls for drift in drifting.call(call)]

    assert drifts()
    assert drifts() == drifts()


def test_calls_of_another_release_and_those_whose_words_were_not_kept_say_nothing() -> None:
    drifting = Drifting(MOVE, Novelty(["tea"]))
    list(drifting.call(served("a", confidence=0.5).model_copy(update={"release": "move-0"})))
    list(drifting.call(served("b")))  # no confidence: there was no student to ask
    assert drifting.seen == 0
    list(drifting.call(served("c", confidence=0.5, kept="hashed", input="0f3a")))
    assert drifting.seen == 1
    assert drifting.evidence()["input"] == 1
