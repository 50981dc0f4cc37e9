"""The house's guard: what audits show calls a student back, at once and for all who look."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import pytest
from kiosk_log import Stand, moved, opened

from feilun.errors import StoreError
from feilun.house import House
from feilun.records import (
    Alarm,
    Audit,
    Call,
    Certificate,
    Drift,
    Money,
    Record,
    RedLine,
    Release,
    WhyAlarm,
)
from feilun.release import may_return
from feilun.testing import FakeBook, MemoryStore
from feilun.testing.kiosk import KIOSK
from feilun.training.linear import LinearTrainer
from feilun.verify import Check, verify

R = TypeVar("R", bound=Record)
NAME = KIOSK.task


def all_of(stand: Stand, kind: type[R]) -> list[R]:
    return list(stand.store.read(kind))


def another(stand: Stand) -> House:
    """A second process on the same store."""
    return House(
        stand.store, book=FakeBook({}), clock=stand.clock, trainer=LinearTrainer(),
        teachers={NAME: stand.teacher},
    )  # fmt: skip


def unwatched(stand: Stand, customers: int) -> list[Call]:
    """Serve customers of a rearranged kiosk while nobody looks at what the audits say."""
    stand.rearrange()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand.house.guarding, "look", lambda *_: [])
        return stand.serve(customers)


@pytest.fixture(scope="module")
def lived() -> Stand:
    """A stand whose student holds a release. Read only."""
    return opened()


@pytest.fixture
def stand(lived: Stand) -> Stand:
    """The same log in a store of its own."""
    store = MemoryStore()
    moved(lived, store)
    return Stand(store=store, start=lived.clock.now(), seed=1)


def called_back(stand: Stand) -> Alarm:
    """The alarm of a stand whose kiosk was rearranged."""
    stand.rearrange()
    stand.serve(60)
    (alarm,) = all_of(stand, Alarm)
    return alarm


def test_an_audit_that_completes_the_evidence_moves_the_pointer_before_it_returns(
    stand: Stand,
) -> None:
    stand.rearrange()
    while not all_of(stand, Alarm):
        served = stand.serve(1)
    (alarm,), audit = all_of(stand, Alarm), all_of(stand, Audit)[-1]
    assert (alarm.last, audit.call) == (audit.id, served[0].id)
    pointer = stand.house.pointer(NAME)
    assert pointer is not None
    assert (pointer.variant, pointer.by, pointer.alarm) == (None, "alarm", alarm.id)
    assert (pointer.previous, alarm.why) == (alarm.release, WhyAlarm.RISK)
    assert pointer.reason == "audits show a loss above the red line"
    assert {call.by for call in stand.serve(30)} == {"teacher"}
    assert stand.house.guarding.standing(NAME) == []


def test_a_student_that_holds_its_line_stays_at_work(stand: Stand) -> None:
    calls = stand.serve(300)
    assert stand.house.watching.look() == []
    (limit,) = stand.house.guarding.standing(NAME)
    assert (limit.why, limit.line) == (WhyAlarm.RISK, 0.05)
    assert limit.evidence < limit.needed
    judged = {audit.call for audit in all_of(stand, Audit)}
    assert limit.seen == sum(call.by == "student" and call.id in judged for call in calls)


def test_whoever_looks_later_reads_the_same_from_the_log(stand: Stand) -> None:
    stand.serve(200)
    stand.house.watching.look()
    other = another(stand)
    assert other.guarding.standing(NAME) == []  # it has not looked yet
    other.watching.look()
    assert other.guarding.standing(NAME) == stand.house.guarding.standing(NAME) != []
    assert other.guarding.drifting(NAME) == stand.house.guarding.drifting(NAME) != {}


def test_a_look_that_is_ended_half_way_goes_on_where_it_was(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.serve(200)
    stand.house.watching.look()
    monkeypatch.setattr("feilun.house.guarding._STRIDE", 400)

    def stop(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    other = another(stand)
    with pytest.raises(KeyboardInterrupt):
        other.watching.look(progress=stop)
    told: list[int] = []
    other.watching.look(progress=lambda done, _: told.append(done))
    assert min(told) > 0
    assert other.guarding.standing(NAME) == stand.house.guarding.standing(NAME)


def test_of_two_processes_one_raises_the_alarm_and_the_other_follows(stand: Stand) -> None:
    unwatched(stand, 60)
    first, second = another(stand), another(stand)
    assert [alarm.release for alarm in first.watching.look()] == [all_of(stand, Release)[0].id]
    assert second.watching.look() == []
    assert len(all_of(stand, Alarm)) == 1
    assert second.answer(NAME, stand.traffic[0].text).by == "teacher"


def test_of_two_at_the_same_moment_one_moves_the_pointer(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwatched(stand, 60)
    first, second = another(stand), another(stand)
    append = stand.store.append

    def overtaken(*records: Record) -> None:
        monkeypatch.setattr(stand.store, "append", append)
        stand.clock.advance(timedelta(seconds=1))
        assert len(second.watching.look()) == 1
        append(*records)

    first.answerer(NAME)
    monkeypatch.setattr(stand.store, "append", overtaken)
    assert first.watching.look() == []
    assert len(all_of(stand, Alarm)) == 1
    assert [each.by for each in all_of(stand, Release)] == ["certificate", "alarm"]
    assert first.answer(NAME, stand.traffic[0].text).by == "teacher"


def test_where_the_alarm_cannot_be_kept_no_student_answers_and_the_next_look_raises_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwatched(stand, 60)
    house = another(stand)
    answerer = house.answerer(NAME)

    def away(*_: Record) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(stand.store, "append", away)
        with pytest.raises(StoreError, match="the disk is full"):
            house.watching.look()
        assert answerer.answer(stand.traffic[0].text, audit_rate=0.5).by == "teacher"
    assert all_of(stand, Alarm) == []
    assert len(house.watching.look()) == 1


def test_a_student_that_a_person_moved_away_meanwhile_is_left_alone(stand: Stand) -> None:
    unwatched(stand, 60)
    stand.house.rollback(NAME, "I saw it first")
    assert stand.house.watching.look() == []
    assert all_of(stand, Alarm) == []


def test_a_row_that_cannot_be_read_is_told_and_nothing_is_counted_twice(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.serve(100)
    stand.house.watching.look()
    other, read = another(stand), stand.store.get
    last = all_of(stand, Audit)[-1].call

    def broken(kind: type[Record], id: str) -> Record:
        if id == last:
            raise StoreError("the disk is broken")
        return read(kind, id)

    with monkeypatch.context() as patch:
        patch.setattr(stand.store, "get", broken)
        for _ in range(2):
            with pytest.raises(StoreError, match="the disk is broken"):
                other.watching.look()
    assert other.guarding.standing(NAME) == []
    other.watching.look()
    assert other.guarding.standing(NAME) == stand.house.guarding.standing(NAME)


# Lines that change


def test_a_line_that_is_declared_later_is_watched_from_the_release_on(stand: Stand) -> None:
    stand.serve(200)
    line = RedLine(max_loss=0.05, confidence=0.9, p95_seconds=1e-9)
    stand.house.declare(KIOSK.model_copy(update={"red_line": line}))
    (alarm,) = stand.house.watching.look()
    assert (alarm.why, alarm.limit, alarm.mean) == (WhyAlarm.SLOW, 0.05, 1.0)
    assert alarm.alpha == pytest.approx(0.05 * 6 / 3.14159265358979**2 / 2)
    assert problems(stand) == []


def test_cost_is_that_of_the_ledger_and_an_answer_that_must_never_be_needs_one_audit(
    stand: Stand,
) -> None:
    tea = {"name": "fruit as tea", "answer": {"const": "drinks"}, "right": {"const": "fruit"}}
    price = Money(amount=Decimal("1e-12"), currency="CNY")
    lines = ({"cost_per_accepted": price}, {"never": [tea], "max_loss": 0.9})
    stand.serve(120)
    whys = []
    for more in lines:
        stand.clock.advance(timedelta(minutes=1))
        line = RedLine(**{"max_loss": 0.05, "confidence": 0.9, **more})
        stand.house.declare(KIOSK.model_copy(update={"red_line": line}))
        if more is lines[1]:
            stand.house.release(NAME, all_of(stand, Certificate)[0].id, "to watch it again")
            stand.rearrange()
            stand.serve(60)
        stand.house.watching.look()
        whys.append(all_of(stand, Alarm)[-1].why)
    assert whys == [WhyAlarm.COST, WhyAlarm.NEVER]
    assert [check for check in problems(stand) if check.kind == "alarm"] == []


def test_a_declaration_with_the_same_line_starts_nothing_anew(stand: Stand) -> None:
    stand.serve(100)
    stand.house.watching.look()
    before = stand.house.guarding.standing(NAME)
    stand.house.declare(KIOSK.model_copy(update={"instructions": "Say on which shelf it is."}))
    stand.house.watching.look()
    assert stand.house.guarding.standing(NAME) == before


def test_each_released_student_of_a_life_has_less_of_the_budget(stand: Stand) -> None:
    first = called_back(stand)
    certificate = all_of(stand, Certificate)[0].id
    stand.house.release(NAME, certificate, "to see it again")
    stand.serve(60)
    second = all_of(stand, Alarm)[1]
    assert second.alpha == pytest.approx(first.alpha / 4)
    assert second.release != first.release


# After an alarm


def test_a_student_that_was_called_back_returns_by_a_person_and_not_by_its_certificate(
    stand: Stand,
) -> None:
    alarm = called_back(stand)
    (certificate,) = all_of(stand, Certificate)
    assert certificate.candidate == alarm.variant
    assert may_return(certificate, [])
    assert not may_return(certificate, [alarm])
    again = stand.house.release(NAME, certificate.id, "the shelves stand as before")
    assert again.by == "person"
    assert stand.house.pointer(NAME) == again


def test_after_an_alarm_the_wheel_turns_on_and_a_new_student_is_released(stand: Stand) -> None:
    alarm = called_back(stand)
    stand.serve(600)
    turned = stand.turn()
    assert turned.candidate.id != alarm.variant
    if turned.verdict.kind == "certificate":
        assert turned.release is not None


# The early warning


def test_traffic_that_changes_is_a_drift_that_moves_no_pointer(stand: Stand) -> None:
    stand.serve(100)
    stand.only(lambda line: line.text.isascii())
    before = stand.house.pointer(NAME)
    stand.serve(500)
    stand.house.watching.look()
    drifts = all_of(stand, Drift)
    assert drifts
    assert stand.house.watching.drifted(NAME) == drifts[-1].at
    assert stand.house.pointer(NAME) == before
    another(stand).watching.look()
    assert all_of(stand, Drift) == drifts  # read again, they are the same records


def test_a_task_that_never_drifted_says_so(stand: Stand) -> None:
    assert stand.house.watching.drifted(NAME) is None


# Verify


def problems(stand: Stand) -> list[Check]:
    return [check for check in verify(stand.house) if check.problem]


def test_every_alarm_is_raised_again_from_the_log(stand: Stand) -> None:
    alarm = called_back(stand)
    assert [check for check in verify(stand.house) if check.kind == "alarm"] == [
        Check("alarm", alarm.id, NAME, None)
    ]
    assert problems(stand) == []


def changed(read: Callable[..., Iterator[Record]], one: Record, how: dict[str, object]) -> object:
    """A store's `read` that gives one record otherwise than it was written."""
    return lambda *asked: (
        record.model_copy(update=how) if record == one else record for record in read(*asked)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"evidence": 20.0}, "evidence: stored 20.0, derived "),
        ({"alpha": 0.04}, "alpha: stored 0.04"),
        ({"seen": 3}, "seen: stored 3"),
        ({"release": "gone"}, "no release 'gone'"),
    ],
)
def test_an_alarm_that_the_log_does_not_give_is_named(
    stand: Stand, change: dict[str, object], said: str
) -> None:
    alarm = called_back(stand)
    forged = MemoryStore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand.store, "read", changed(stand.store.read, alarm, change))
        moved(stand, forged)
    other = Stand(store=forged, start=stand.clock.now())
    named = {check.kind: check for check in problems(other)}
    assert named["alarm"].id == alarm.id
    assert said in (named["alarm"].problem or "")


def test_an_alarm_on_too_few_audits_and_a_move_back_without_one_are_named(stand: Stand) -> None:
    stand.serve(40)
    release = all_of(stand, Release)[0]
    early = all_of(stand, Audit)[-1]
    alarm = Alarm(
        id="early", task=NAME, at=stand.clock.now(), release=release.id,
        variant=release.variant or "", why=WhyAlarm.RISK, alpha=0.03, evidence=40, seen=9, mean=1,
        limit=0.05, last=early.id,
    )  # fmt: skip
    back = release.model_copy(
        update={"id": "back", "variant": None, "threshold": None, "by": "alarm", "alarm": "none"}
    )
    stand.store.append(alarm, back)
    assert {(check.id, check.problem) for check in problems(stand)} == {
        ("early", f"the log up to {early.id} gives no alarm"),
        ("back", "the pointer moved back without an alarm and without a person"),
    }


def test_replayed_in_any_strides_the_evidence_is_the_same(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.serve(150)

    def standing(stride: int) -> Callable[[], object]:
        monkeypatch.setattr("feilun.house.guarding._STRIDE", stride)
        house = another(stand)
        house.watching.look()
        return lambda: house.guarding.standing(NAME)

    assert standing(7)() == standing(10_000)()
