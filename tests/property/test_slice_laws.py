"""Laws of the line per slice: stricter never means more, and each slice keeps its promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feilun.certify.ltt import Plan
from feilun.certify.slices import FEWEST, Planned, look_slices, plan_slices
from feilun.records import Expected
from feilun.tasks import language

rates = st.floats(0.02, 0.4)


@st.composite
def audits(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Confidences, losses of 0 or 1, and the slice of each."""
    n = draw(st.integers(1, 120))
    confidences = draw(st.lists(st.integers(0, 50), min_size=n, max_size=n))
    wrong = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    few = draw(st.integers(0, 3))
    names = draw(st.lists(st.sampled_from("abc"), min_size=n, max_size=n))
    return np.array(confidences) / 50, (np.array(wrong) < few).astype(float), names


def planned(names: list[str], level: float) -> Planned:
    """Every slice is looked at, from half of its audits on."""
    starts = {name: max(1, names.count(name) // 2) for name in names}
    return Planned(level * len(starts), level, starts, Plan(0, 0.0, None), 0)


@given(audits(), rates, rates, st.floats(0.01, 0.2))
def test_a_stricter_line_never_certifies_more_of_any_slice(
    judged: tuple[np.ndarray, np.ndarray, list[str]], one: float, other: float, level: float
) -> None:
    plan = planned(judged[2], level)
    strict = look_slices(*judged, min(one, other), plan)
    loose = look_slices(*judged, max(one, other), plan)
    for name, found in strict.items():
        if found.threshold is not None:
            more = loose[name].threshold
            assert more is not None
            assert more <= found.threshold


@given(audits(), rates, st.floats(0.01, 0.2), st.integers(0, 2**32 - 1))
def test_what_a_slice_may_do_does_not_depend_on_the_labels_of_another(
    judged: tuple[np.ndarray, np.ndarray, list[str]], line: float, level: float, seed: int
) -> None:
    confidences, losses, names = judged
    other = np.random.default_rng(seed).integers(0, 2, len(losses)).astype(float)
    mixed = np.where(np.array(names) == "a", losses, other)
    plan = planned(names, level)
    if "a" in names:
        one, two = (look_slices(confidences, each, names, line, plan) for each in (losses, mixed))
        assert one["a"] == two["a"]


@given(st.lists(st.sampled_from("abcdef"), max_size=300), rates, rates, st.floats(0.001, 0.2))
def test_which_slices_share_the_budget_depends_on_their_sizes_alone(
    names: list[str], one: float, other: float, delta: float
) -> None:
    sure = [Expected(coverage=1.0, loss=0.0)]
    plans = [plan_slices(sure, names, line, delta) for line in (one, other)]
    big = sum(names.count(name) >= FEWEST for name in set(names))
    assert plans[0].level == plans[1].level == delta / max(big, 1)
    for found in plans:
        assert all(names.count(name) >= FEWEST for name in found.starts)


@given(st.text())
def test_every_text_has_one_language(text: str) -> None:
    assert language(text) in {"zh", "en", "mixed", "other"}
    assert language([text, {"a": text}]) == language(text + " " + text)


@pytest.mark.parametrize("slices", [2, 6])
def test_the_chance_that_any_certified_slice_is_above_the_line_is_at_most_delta(
    slices: int,
) -> None:
    # In each slice the error at confidence c is (1 - c) / 2, so the true risk of serving
    # [t, 1] is (1 - t) / 4; the line lies where serving 60 % of a slice is just too much.
    line, delta, looks = 0.15, 0.1, 400
    chance = np.random.default_rng(22)
    names = [str(number % slices) for number in range(100 * slices)]
    plan = Planned(delta, delta / slices, dict.fromkeys(map(str, range(slices)), 40),
                   Plan(0, 0.0, None), 0)  # fmt: skip
    above = certified = 0
    for _ in range(looks):
        confidences = chance.random(len(names))
        losses = (chance.random(len(names)) < (1 - confidences) / 2).astype(float)
        found = look_slices(confidences, losses, names, line, plan)
        passed = [one.threshold for one in found.values() if one.threshold is not None]
        certified += bool(passed)
        above += any((1 - threshold) / 4 > line for threshold in passed)
    # Three standard errors above delta; and the gate is no gate if it never opens.
    assert above / looks <= delta + 3 * (delta * (1 - delta) / looks) ** 0.5
    assert certified / looks > 0.3


def test_with_one_common_look_a_bad_slice_would_have_been_served() -> None:
    """Why the line per slice is another promise: 5 % of all is not 5 % of each."""
    chance = np.random.default_rng(23)
    names = ["good"] * 450 + ["bad"] * 50
    confidences = chance.random(500)
    losses = np.r_[np.zeros(450), chance.random(50) < 0.4].astype(float)
    together = look_slices(
        confidences, losses, ["all"] * 500, 0.1,
        Planned(0.05, 0.05, {"all": 250}, Plan(0, 0.0, None), 0),
    )  # fmt: skip
    apart = look_slices(
        confidences, losses, names, 0.1,
        Planned(0.05, 0.025, {"good": 225, "bad": 25}, Plan(0, 0.0, None), 0),
    )  # fmt: skip
    assert together["all"].served == 500
    assert apart["good"].served == 450
    assert apart["bad"].threshold is None
