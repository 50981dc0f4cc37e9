"""Laws of the red line: stricter never means more, and a certificate is seldom wrong."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feilun.certify import budget, enough, fewest, look, plan
from feilun.records import Expected

rates = st.floats(0.01, 0.5)
levels = st.floats(0.001, 0.2)


@st.composite
def audits(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, with ties, and losses of 0 or 1."""
    n = draw(st.integers(1, 120))
    confidences = draw(st.lists(st.integers(0, 50), min_size=n, max_size=n))
    wrong = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    few = draw(st.integers(0, 4))
    return np.array(confidences) / 50, (np.array(wrong) < few).astype(float)


@given(audits(), rates, rates, levels, st.data())
def test_a_stricter_red_line_never_certifies_more(
    judged: tuple[np.ndarray, np.ndarray],
    one: float,
    other: float,
    delta: float,
    data: st.DataObject,
) -> None:
    first = data.draw(st.integers(1, len(judged[0])))
    strict = look(*judged, min(one, other), delta, first)
    loose = look(*judged, max(one, other), delta, first)
    if strict.threshold is not None:
        assert loose.threshold is not None
        assert loose.threshold <= strict.threshold
        assert loose.served >= strict.served


@given(audits(), rates, levels, levels, st.data())
def test_more_confidence_never_certifies_more(
    judged: tuple[np.ndarray, np.ndarray],
    line: float,
    one: float,
    other: float,
    data: st.DataObject,
) -> None:
    first = data.draw(st.integers(1, len(judged[0])))
    sure = look(*judged, line, min(one, other), first)
    less = look(*judged, line, max(one, other), first)
    assert sure.threshold is None or sure.served <= less.served


@given(audits(), rates, levels, st.data())
def test_what_is_certified_lies_below_the_line_and_serves_what_it_says(
    judged: tuple[np.ndarray, np.ndarray], line: float, delta: float, data: st.DataObject
) -> None:
    confidences, losses = judged
    first = data.draw(st.integers(1, len(confidences)))
    found = look(confidences, losses, line, delta, first)
    if found.threshold is not None:
        served = confidences >= found.threshold
        assert found.served == served.sum() >= first
        assert found.loss == pytest.approx(losses[served].mean())
        assert (found.loss or 0) <= line
        assert found.upper <= line + 1e-9


@given(audits(), rates, levels, st.data())
def test_the_order_of_audits_does_not_matter(
    judged: tuple[np.ndarray, np.ndarray], line: float, delta: float, data: st.DataObject
) -> None:
    first = data.draw(st.integers(1, len(judged[0])))
    order = np.array(data.draw(st.permutations(range(len(judged[0])))))
    shuffled = look(judged[0][order], judged[1][order], line, delta, first)
    assert shuffled == look(*judged, line, delta, first)


@given(st.floats(0.51, 0.999), st.integers(1, 500))
def test_the_budget_is_never_overdrawn(confidence: float, attempts: int) -> None:
    spent = sum(budget(confidence, attempt) for attempt in range(1, attempts + 1))
    assert 0 < spent < 1 - confidence


@given(rates, rates, levels)
def test_a_stricter_line_needs_more_audits(one: float, other: float, delta: float) -> None:
    assert fewest(min(one, other), delta) >= fewest(max(one, other), delta)


@given(rates, levels, st.floats(0, 0.9))
def test_enough_is_at_least_the_fewest_and_none_at_the_line(
    line: float, delta: float, share: float
) -> None:
    needed = enough(line, delta, share * line, limit=20_000)
    assert needed is None or needed >= fewest(line, delta)
    assert enough(line, delta, line) is None


@given(
    st.lists(st.tuples(st.integers(1, 10), st.floats(0, 0.5)), min_size=1, max_size=10),
    st.integers(0, 500),
    rates,
    levels,
)
def test_a_plan_never_begins_beyond_its_audits(
    points: list[tuple[int, float]], at_hand: int, line: float, delta: float
) -> None:
    expected = [Expected(coverage=share / 10, loss=loss) for share, loss in points]
    planned = plan(expected, at_hand, line, delta)
    assert 0 <= planned.first <= at_hand
    assert 0 <= planned.chance <= 1
    assume(planned.wanted is not None)
    assert (planned.wanted or 0) >= fewest(line, delta)


@pytest.mark.parametrize("first", [20, 60])
def test_the_share_of_certificates_whose_true_risk_is_above_the_line_is_at_most_delta(
    first: int,
) -> None:
    # A student whose error at confidence c is (1 - c) / 2, so the true risk of serving
    # [t, 1] is (1 - t) / 4. The line lies where serving 60 % is just too much.
    line, delta, looks = 0.15, 0.1, 1500
    chance = np.random.default_rng(20)
    above = certified = 0
    for _ in range(looks):
        confidences = chance.random(250)
        losses = (chance.random(250) < (1 - confidences) / 2).astype(float)
        found = look(confidences, losses, line, delta, first)
        certified += found.threshold is not None
        above += found.threshold is not None and (1 - found.threshold) / 4 > line
    # Three standard errors above delta; and the gate is no gate if it never opens.
    assert above / looks <= delta + 3 * (delta * (1 - delta) / looks) ** 0.5
    assert certified / looks > 0.3


def test_a_student_right_at_the_line_is_certified_no_more_often_than_delta() -> None:
    line, delta, looks = 0.1, 0.1, 1500
    chance = np.random.default_rng(21)
    passed = sum(
        look(
            chance.random(200), (chance.random(200) < line).astype(float), line, delta, 50
        ).threshold
        is not None
        for _ in range(looks)
    )
    assert passed / looks <= delta + 3 * (delta * (1 - delta) / looks) ** 0.5
