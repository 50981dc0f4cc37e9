"""The rate of audits follows need, and never stops while a student serves."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiosk_log import NOON, a_call, at

from feilun.records import Call, Drift, Json, Release
from feilun.tasks import FLOOR, Drawing, common_rate, rate_of
from feilun.testing.kiosk import GOODS, KIOSK
from feilun.watch import Need, allowed_rate, rate
from feilun.watch.rate import AFTER, HALF, MOST_SLICE, MOST_TIMES

MOVED = Release(
    id="move-1", task=KIOSK.task, at=NOON, variant="s", threshold=0.5, certificate="proof-1",
    previous=None, reason="certified", by="certificate",
)  # fmt: skip


def served(number: int, output: Json = "drinks", **more: Json) -> Call:
    facts = {"by": "student", "release": MOVED.id, "confidence": 0.9, "audit_rate": 1.0, **more}
    return a_call(f"{number:06}", number, "green tea", output, **facts)


def need(*calls: Call) -> Need:
    found = Need(KIOSK, MOVED)
    for call in calls:
        found.call(call)
    return found


def drift(last: str = "x") -> Drift:
    return Drift(
        id="drift-1", task=KIOSK.task, at=NOON, release=MOVED.id, what="input", evidence=120.0,
        limit=100.0, seen=9, last=last,
    )  # fmt: skip


def test_a_new_release_is_drawn_three_times_as_often_and_the_excess_halves_with_audits() -> None:
    assert rate(need()).drawing.times == AFTER
    half = rate(need(*(served(n) for n in range(int(HALF)))))
    assert half.drawing.times == pytest.approx(1 + (AFTER - 1) / 2)
    later = rate(need(*(served(n) for n in range(1000))))
    assert later.drawing.times == pytest.approx(1, abs=0.001)


def test_what_a_release_costs_in_audits_is_bounded_however_long_judges_take() -> None:
    # Each drawn answer is one that the plain rate would have drawn with chance 1 / times.
    extra = sum(1 - 1 / (1 + (AFTER - 1) * 2 ** (-n / HALF)) for n in range(5000))
    assert extra == pytest.approx(HALF / math.log(2) * math.log(AFTER), rel=0.01)


def test_calls_that_the_teacher_answered_say_nothing_of_a_student() -> None:
    calls = [served(n, by="teacher", why_teacher="unsure") for n in range(500)]
    assert need(*calls).drawn == 0


def test_calls_of_another_release_do_not_count() -> None:
    assert need(*(served(n, release="move-0") for n in range(500))).drawn == 0


def test_a_drift_raises_the_rate_until_enough_was_drawn_after_it() -> None:
    found = need(*(served(n) for n in range(2000)))
    assert rate(found).drift == 1
    found.drift(drift())
    assert rate(found).drift == AFTER
    for n in range(2000, 2500):
        found.call(served(n))
    assert rate(found).drift == pytest.approx(1, abs=0.01)


def test_a_drift_right_after_a_release_is_not_nine_times_the_rate() -> None:
    found = need()
    found.drift(drift())
    assert rate(found).drawing.times == MOST_TIMES < AFTER**2


def test_a_label_that_was_drawn_seldom_is_drawn_more_often() -> None:
    calls = [served(n, "papers" if n % 50 == 0 else "drinks") for n in range(500)]
    drawing = rate(need(*calls)).drawing
    assert drawing.slices["label:drinks"] == 1
    assert 1 < drawing.slices["label:papers"] <= MOST_SLICE
    assert drawing.unseen == MOST_SLICE
    common = common_rate(0.05, drawing)
    assert rate_of(common, drawing, "x", "papers", None) > rate_of(
        common, drawing, "x", "drinks", None
    )


def test_slices_of_one_size_are_drawn_alike() -> None:
    shelves = list(GOODS)
    drawing = rate(need(*(served(n, shelves[n % 4]) for n in range(400)))).drawing
    assert set(drawing.slices.values()) == {1.0}


def test_a_way_with_one_slice_costs_nothing_to_look_up() -> None:
    assert rate(need(*(served(n) for n in range(100)))).drawing.ways == ()


def test_more_tenants_than_audits_can_tell_apart_are_not_told_apart() -> None:
    found = need(*(served(n, tenant=f"t{n}") for n in range(1500)))
    assert [by.value for by in found.slices] == ["label", "language"]


@given(
    st.floats(0, 1),
    st.integers(0, 300),
    st.one_of(st.none(), st.integers(0, 300)),
    st.one_of(st.none(), st.floats(1e-6, 2)),
    st.lists(st.sampled_from(list(GOODS)), max_size=60),
)
def test_a_rate_is_never_zero_never_above_one_and_never_above_the_budget(
    base: float, drawn: int, since: int | None, allowed: float | None, labels: list[str]
) -> None:
    found = need(*(served(n, label) for n, label in enumerate(labels)))
    found.drawn, found.since_drift = drawn, since
    drawing = rate(found, allowed).drawing
    common = common_rate(base, drawing)
    assert 0 < common <= 1
    assert common >= min(FLOOR, base or FLOOR, drawing.most)
    if allowed is not None:
        assert common <= allowed
    for label in (*GOODS, "nowhere"):
        own = rate_of(common, drawing, "text", label, "acme")
        assert common <= own <= min(1.0, common * MOST_SLICE + 1e-12)


def test_without_a_look_the_rate_is_the_one_that_is_asked_for_but_for_the_floor() -> None:
    assert common_rate(0.25, None) == 0.25
    assert common_rate(0.0, None) == FLOOR
    assert common_rate(0.0, Drawing()) == FLOOR


def test_a_budget_is_spread_over_the_calls_of_a_day() -> None:
    calls = [served(n, audit_rate=0.5) for n in range(0, 24 * 60)]
    found = need(*calls)
    allowed = allowed_rate(72, {KIOSK.task: found}, at(24 * 60))
    assert allowed == pytest.approx(72 / (24 * 60), rel=0.1)


def test_a_budget_pays_for_the_slices_that_are_drawn_more_often() -> None:
    plain = need(*(served(n, audit_rate=0.1) for n in range(600)))
    twice = need(*(served(n, audit_rate=0.2, common_rate=0.1) for n in range(600)))
    whole, half = (allowed_rate(50, {"a": each}, at(600)) for each in (plain, twice))
    assert whole is not None
    assert half == pytest.approx(whole / 2)


def test_all_tasks_share_the_budget() -> None:
    one, other = (need(*(served(n) for n in range(600))) for _ in range(2))
    alone = allowed_rate(50, {"a": one}, at(600))
    both = allowed_rate(50, {"a": one, "b": other}, at(600))
    assert alone is not None
    assert both == pytest.approx(alone / 2)


def test_what_is_kept_does_not_grow_with_the_calls() -> None:
    found = Need(KIOSK, MOVED)
    for n in range(10_000):
        found.call(served(n).model_copy(update={"at": NOON + timedelta(minutes=7 * n)}))
    assert len(found._hours) <= 25
    assert found.per_day(NOON + timedelta(minutes=70_000)) == pytest.approx(24 * 60 / 7, rel=0.1)
