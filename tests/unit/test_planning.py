"""The next best turn: what is foretold, what it is worth, and what nobody knows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from feilun.planning import (
    Costs,
    Curve,
    Held,
    Next,
    Option,
    Pairs,
    Situation,
    Traffic,
    calibration,
    costs,
    fit,
    forecast,
    options,
    outcomes,
    ranked,
    traffic,
    weigh,
)
from feilun.planning.facts import Mean
from feilun.records import (
    Between,
    Call,
    Certificate,
    CurvePoint,
    Measured,
    Plan,
    Posting,
    Refusal,
    WhyRefused,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class EasyLook:
    """Serves the surest audits until a tenth of them is wrong; needs `fewest` audits."""

    def __init__(self, fewest: int = 50) -> None:
        self._fewest = fewest

    def begins(self, expected: Pairs, audits: int) -> int | None:  # noqa: ARG002 - as it comes
        return 10 if audits >= self._fewest else None

    def serves(self, audits: Pairs, first: int) -> float | None:
        surest = audits.losses[np.argsort(-audits.confidences, kind="stable")]
        share = np.cumsum(surest) / np.arange(1, len(surest) + 1)
        good = np.flatnonzero(share[first - 1 :] <= 0.1)
        return None if not len(good) else float(good[-1] + first) / len(surest)

    def wanted(self, expected: Pairs, audits: int) -> int | None:  # noqa: ARG002 - always so
        return self._fewest


def held(errors: float = 0.2, size: int = 400) -> Held:
    """Held-out answers whose errors are the least sure ones."""
    confidences = np.linspace(1, 0, size)
    return Held(Pairs(confidences, (confidences < errors).astype(float)), size, size * 3 // 4)


def law(*sizes: int, level: float = 0.2, slope: float = 0.5) -> list[CurvePoint]:
    return [
        CurvePoint(examples=n, tested=4000, loss=level * (n / sizes[-1]) ** -slope) for n in sizes
    ]


def a_curve() -> Curve:
    found = fit(law(50, 100, 200, 300))
    assert found is not None
    return found


def a_situation(**more: object) -> Situation:
    known = Situation(
        task="t", trainer="linear", at=NOW, seen=7, horizon_days=100,
        examples=400, audits=200, calibrating=1.0, waiting=0, unjudged=10_000,
        held=held(), points=(), curve=a_curve(),
        traffic=Traffic(calls=2800, days=28, spread=1.0, served=0, asked=0, drawn=280.0),
        costs=Costs(
            teacher=Mean(0.05, 0.0), student=0.01, training=Decimal("0.001"),
            audit=Decimal("0.02"), label=Decimal("0.5"), unknown=(),
        ),
        measured=Measured(training=10.0, answer=0.001), currency="CNY", prices=(), unknown=(),
    )  # fmt: skip
    return replace(known, **more)  # type: ignore[arg-type]  # a test names what differs


TRAIN = Option("train", 400, 400, 200)


# The learning curve


def test_two_sizes_make_no_curve() -> None:
    assert fit(law(100, 200)) is None
    assert fit([*law(100, 200), CurvePoint(examples=400, tested=0, loss=0.0)]) is None


def test_no_error_among_few_is_not_taken_for_certainty() -> None:
    none = [CurvePoint(examples=n, tested=30, loss=0.0) for n in (100, 200, 400)]
    found = fit(none)
    assert found is not None
    assert (found.losses(800) > 0).all()


# What a look would find


def test_a_student_that_never_errs_is_certain_of_all_calls() -> None:
    served = forecast(held(errors=0.0), a_curve(), Next(400, 200), EasyLook(), seed=1)
    assert (served == 1).all()


def test_a_look_that_is_not_worth_it_is_refused() -> None:
    assert not forecast(held(), a_curve(), Next(400, 40), EasyLook(50), seed=1).any()


def test_the_same_seed_foretells_the_same() -> None:
    one, other = (forecast(held(), a_curve(), Next(400, 90), EasyLook(), 5) for _ in range(2))
    assert (one == other).all()


@pytest.mark.parametrize("curve", [a_curve(), None], ids=["its own curve", "any curve"])
def test_more_examples_serve_more(curve: Curve | None) -> None:
    few, many = (
        forecast(held(), curve, Next(size, 200), EasyLook(), 3).mean() for size in (401, 1600)
    )
    assert many > few + 0.03


# Traffic and costs


def calls(days: int, per_day: list[int], by: str = "teacher") -> list[Call]:
    return [
        Call(
            id=f"{day}-{n}", task="t", at=NOW - timedelta(days=days - day, minutes=-n),
            input="x", output="y", variant=by, by=by, audit_rate=0.5,
        )
        for day in range(days)
        for n in range(per_day[day % len(per_day)])
    ]  # fmt: skip


def test_half_a_day_of_calls_says_nothing_of_a_day() -> None:
    told = [c.model_copy(update={"at": NOW - timedelta(hours=12)}) for c in calls(1, [50])]
    assert traffic(told, NOW, None) is None
    assert traffic([], NOW, None) is None


def test_only_the_last_four_weeks_count() -> None:
    found = traffic(calls(100, [3]), NOW, None)
    assert found is not None
    assert (found.calls, found.days, found.drawn) == (84, 28, 42)


def test_days_that_differ_widen_the_interval() -> None:
    chance = np.random.default_rng(0)
    even, uneven = (traffic(calls(28, week), NOW, None) for week in ([20], [40, 0]))
    assert even is not None
    assert uneven is not None
    assert even.calls == uneven.calls
    assert np.std(uneven.per_day(500, chance)) > 3 * np.std(even.per_day(500, chance))


def test_what_is_served_now_counts_from_the_last_move_of_the_pointer() -> None:
    told = [*calls(10, [4]), *calls(5, [4], by="student")]
    found = traffic(sorted(told, key=lambda c: c.at), NOW, NOW - timedelta(days=5))
    assert found is not None
    assert found.serves_now == 0.5


def a_posting(cause: str, amount: str | None, who: str = "teacher") -> Posting:
    return Posting(
        id=f"{cause} {who} {amount}", task="t", at=NOW - timedelta(days=1),
        debit=f"expense:{who}", credit=f"payable:{who}",
        amount=None if amount is None else Decimal(amount), currency="CNY",
        quantity=Decimal(1), unit="token", cause=cause, price=None,
    )  # fmt: skip


def test_a_call_costs_all_that_was_posted_for_it() -> None:
    rows = [a_posting("call:1", "1"), a_posting("call:1", "2"), a_posting("call:2", "5")]
    found = costs(rows, {"student:second": Decimal(2)}, Measured(training=1, answer=0.5), NOW)
    assert found.teacher is not None
    assert found.teacher.mean == 4
    assert found.student == 1  # it never served: seconds measured, at their price


def test_one_call_without_a_price_makes_the_teacher_s_cost_unknown() -> None:
    rows = [a_posting("call:1", "1"), a_posting("call:2", None)]
    found = costs(rows, {}, None, NOW)
    assert found.teacher is None
    assert "what a call costs that the teacher answers" in found.unknown
    assert "the price of audit:person" in found.unknown


# What it is worth


def test_a_return_is_the_gain_of_the_days_left_less_the_cost() -> None:
    now = a_situation()
    plan = weigh(now, Option("audit", 100, 400, 300), EasyLook())
    assert plan.wait_days == 10  # ten are drawn a day, and none waits
    assert plan.cost is not None
    assert plan.cost.amount == Decimal("2.01")  # 100 audits, and ten seconds of training
    assert plan.gain_per_day is not None
    assert plan.returned is not None
    assert plan.returned.mid == pytest.approx(90 * plan.gain_per_day.mid - 2.01, rel=1e-4)
    assert plan.coverage is not None
    assert plan.gain_per_day.mid == pytest.approx(100 * plan.coverage.mid * 0.04, rel=0.05)
    assert float(plan.per_money or 0) == pytest.approx(plan.returned.mid / 2.01, rel=1e-3)


@pytest.mark.parametrize("unknown", ["teacher", "student", "training"])
def test_what_has_no_price_has_no_return(unknown: str) -> None:
    now = a_situation()
    costs = replace(now.costs, **{unknown: None})  # type: ignore[arg-type]  # one of three
    plan = weigh(replace(now, costs=costs), TRAIN, EasyLook())
    assert (plan.returned, plan.per_money) == (None, None)
    assert plan.certified is not None


def test_an_unknown_audit_price_hides_the_return_of_audits_alone() -> None:
    now = a_situation()
    now = replace(now, costs=replace(now.costs, audit=None))
    assert weigh(now, Option("audit", 10, 400, 210), EasyLook()).returned is None
    assert weigh(now, TRAIN, EasyLook()).returned is not None


def test_without_a_curve_nobody_says_what_labels_bring() -> None:
    plan = weigh(a_situation(curve=None), Option("label", 400, 800, 200), EasyLook())
    assert (plan.coverage, plan.certified, plan.returned) == (None, None, None)
    assert "what more examples bring: too few for a learning curve" in plan.unknown


def test_a_student_at_work_that_serves_as_much_leaves_nothing_to_gain() -> None:
    serving = Traffic(calls=2800, days=28, spread=1.0, served=100, asked=100, drawn=280.0)
    plan = weigh(a_situation(traffic=serving), TRAIN, EasyLook())
    assert plan.gain_per_day is not None
    assert plan.gain_per_day.high == 0
    assert plan.returned is not None
    assert plan.returned.mid == -0.01


def test_audits_that_are_never_drawn_are_waited_for_without_end() -> None:
    quiet = Traffic(calls=2800, days=28, spread=1.0, served=0, asked=0, drawn=0.0)
    plan = weigh(a_situation(traffic=quiet), Option("audit", 10, 400, 210), EasyLook())
    assert (plan.wait_days, plan.returned) == (None, None)
    assert any("no call is drawn" in what for what in plan.unknown)


def test_missing_audits_are_asked_for_with_the_share_that_will_train() -> None:
    now = a_situation(audits=30, calibrating=0.5)
    asked = [each for each in options(now, EasyLook(50)) if each.do == "audit"]
    assert [(each.quantity, each.audits, each.examples) for each in asked] == [
        (40, 50, 420),
        (80, 70, 440),
    ]


# Prediction against result


def a_plan(minutes: int, coverage: Between | None, chance: float) -> Plan:
    at = NOW + timedelta(minutes=minutes)
    plan = weigh(a_situation(at=at), TRAIN, EasyLook())
    return plan.model_copy(update={"coverage": coverage, "certified": chance})


def verdict(minutes: int, coverage: float | None) -> Certificate | Refusal:
    facts = {
        "id": str(minutes), "task": "t", "at": NOW + timedelta(minutes=minutes),
        "declaration": "d", "candidate": "c", "dataset": "s", "attempt": 1, "max_loss": 0.1,
        "delta": 0.05, "audits": 100, "bounds": "correctness", "loss": 0.0,
    }  # fmt: skip
    if coverage is None:
        more = {"why": WhyRefused.ABOVE_LINE, "tested": 10}
        return Refusal(**facts, **more, missing_audits=None, missing_cost=None)
    return Certificate(
        **facts, threshold=0.5, served=50, loss_upper=0.1, coverage=coverage,
        coverage_low=0.0, coverage_high=1.0,
    )  # fmt: skip


def test_each_verdict_is_held_against_the_last_plan_before_it() -> None:
    wide, low = Between(mid=0.5, low=0.3, high=0.7), Between(mid=0.2, low=0.1, high=0.3)
    plans = [a_plan(0, low, 0.1), a_plan(1, wide, 0.9), a_plan(3, low, 0.5), a_plan(9, low, 1.0)]
    found = outcomes(plans, [verdict(2, 0.6), verdict(4, 0.6), verdict(5, 0.6), verdict(10, None)])
    assert [(o.plan.certified, o.verdict.id, o.held) for o in found] == [
        (0.9, "2", True),
        (0.5, "4", False),
        (1.0, "10", None),
    ]
    told = calibration(found)
    assert (told.held, told.intervals, told.certified, told.verdicts) == (1, 2, 2, 3)
    assert told.expected == pytest.approx(2.4)


def test_an_unknown_return_is_ranked_after_all_others() -> None:
    known = weigh(a_situation(), TRAIN, EasyLook())
    worse = known.model_copy(update={"id": "worse", "per_money": Decimal(-1)})
    unknown = known.model_copy(update={"id": "unknown", "returned": None, "per_money": None})
    assert ranked([unknown, worse, known]) == [known, worse, unknown]
