"""A task is planned, the plan is followed, and what it foretold is held against what came."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from kiosk_log import PRICES, Stand

from feilun.errors import StoreError
from feilun.house import House
from feilun.records import Candidate, Certificate, Plan, Record, Refusal
from feilun.testing import FakeBook, FakeTrainer
from feilun.testing.kiosk import KIOSK
from feilun.verify import verify
from feilun.verify.plans import plans as plan_checks

# The kiosk's teacher is billed by the second; it answers in no time, so a second costs much.
BOOK = {**PRICES, "teacher:second": "0.5"}


def by_deed(plans: list[Plan], do: str) -> Plan:
    return next(plan for plan in plans if plan.do == do)


def test_a_plan_is_made_followed_and_held_against_its_result() -> None:
    # After two days the keeper asks what to do. Turning now is foretold to fail for want of
    # audits: so many more are wanted, and that is what they cost.
    kiosk = Stand(book=FakeBook(BOOK))
    name = KIOSK.task
    kiosk.serve(215)
    kiosk.clock.advance(timedelta(days=1))
    kiosk.serve(215)
    kiosk.clock.advance(timedelta(days=1))
    early = kiosk.house.planning.plan(name)
    now, more = by_deed(early, "train"), by_deed(early, "audit")
    assert now.certified == 0
    assert more.certified is not None
    assert more.certified > 0.6
    assert more.cost is not None
    assert now.cost is not None
    assert more.cost.amount >= more.quantity * Decimal(PRICES["audit:person"])
    assert more.calls_per_day is not None
    assert 150 < more.calls_per_day.low < 430 / 2.3 < more.calls_per_day.high < 250
    assert 0.5 < (more.wait_days or 0) < 10

    # The curve says how the students of few examples did: the more, the better.
    losses = [point.loss for point in now.curve]
    assert losses == sorted(losses, reverse=True)
    assert [point.examples for point in now.curve] == sorted(p.examples for p in now.curve)

    # They turn all the same, and it is as foretold: nothing was certified.
    assert isinstance(kiosk.turn().verdict, Refusal)

    # They get the audits, plan once more, and turn. The certificate comes as foretold.
    kiosk.serve(500)
    kiosk.clock.advance(timedelta(days=1))
    late = kiosk.house.planning.plan(name)
    now = by_deed(late, "train")
    assert now.coverage is not None
    verdict = kiosk.turn().verdict
    assert isinstance(verdict, Certificate)
    assert (now.examples, now.audits) == (kiosk_examples(kiosk), verdict.audits)
    assert now.coverage.low <= verdict.coverage <= now.coverage.high

    # Both plans are now history: one chance was rightly small, one interval held.
    past = kiosk.house.planning.outcomes(name)
    assert [outcome.held for outcome in past] == [None, True]
    found, low, high = kiosk.house.planning.calibration(past)
    assert (found.held, found.intervals, found.certified, found.verdicts) == (1, 1, 1, 2)
    assert low < 0.8 < high

    # And whoever doubts the plans makes them again from the log as it was.
    checks = [check for check in verify(kiosk.house) if check.kind == "plan"]
    assert len(checks) == len(early) + len(late)
    assert [check.problem for check in checks if check.problem] == []


def kiosk_examples(kiosk: Stand) -> int:
    return list(kiosk.store.read(Candidate))[-1].examples


@pytest.fixture
def planned() -> Stand:
    """A stand with plans, whose students are tables."""
    kiosk = Stand(trainer=FakeTrainer(), book=FakeBook(BOOK))
    kiosk.serve(40)
    kiosk.clock.advance(timedelta(days=2))
    kiosk.house.planning.plan(KIOSK.task)
    return kiosk


def test_a_trainer_that_says_nothing_of_itself_is_planned_for_without_a_guess(
    planned: Stand,
) -> None:
    plans = list(planned.store.read(Plan))
    assert {plan.do for plan in plans} == {"train", "label"}
    assert {plan.certified for plan in plans} == {None}
    assert {plan.returned for plan in plans} == {None}
    assert all("fake does not say" in plan.unknown[0] for plan in plans)


def test_what_was_said_after_a_plan_changes_nothing_of_it(planned: Stand) -> None:
    planned.serve(60)
    assert [check.problem for check in plan_checks(planned.house, None)] == [None] * 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"quantity": 7777}, "quantity: stored 7777"),
        ({"examples": 1}, "examples: stored 1"),
        ({"serves_now": 0.5}, "serves_now: stored 0.5"),
        ({"id": "another"}, "the log gives no plan"),
        ({"trainer": "other"}, "other is not at hand"),
        ({"prices": ("no-price",)}, "no-price"),
        ({"unknown": ()}, "unknown: stored ()"),
    ],
)
def test_a_changed_plan_is_named(
    planned: Stand, change: dict[str, object], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = list(planned.store.read(Plan))
    forged = [truth[0].model_copy(update=change), *truth[1:]]
    whole = planned.store.read

    def read(kind: type[Record], task: str | None = None, **seen: int) -> Iterator[Record]:
        return iter(forged) if kind is Plan else whole(kind, task, **seen)

    monkeypatch.setattr(planned.store, "read", read)
    first, *others = plan_checks(planned.house, None)
    assert named in (first.problem or "")
    assert [check.problem for check in others] == [None] * len(others)


def test_the_past_is_read_and_never_written(planned: Stand) -> None:
    past: House = planned.house.as_of(3, "fake")
    with pytest.raises(StoreError, match="cannot be written"):
        past.declare(KIOSK.model_copy(update={"instructions": "other"}))
    with pytest.raises(StoreError, match="takes no blobs"):
        past.store.put(b"x")
    past.close()
    assert planned.store.head().seq > 3  # the store itself goes on
