"""Laws of the paired comparison: seldom wrong however often one looks, and right in the end."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feilun.trials import Shown, shown, weigh
from feilun.trials.evidence import ALPHA

pairs = st.lists(
    st.tuples(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), st.sampled_from([0.1, 0.5, 1.0])),
    max_size=60,
)


@given(pairs)
def test_a_difference_is_shown_exactly_when_the_interval_leaves_zero(
    seen: list[tuple[float, float]],
) -> None:
    found = weigh(Counter(seen))
    assert -1 <= found.low <= found.high <= 1
    # Between a bound and the wealth at zero lies the width of the last halving.
    assume(min(abs(found.low), abs(found.high)) > 1e-9)
    assert (found.low > 0) is (found.shown is Shown.WORSE)
    assert (found.high < 0) is (found.shown is Shown.BETTER)
    assert shown(Counter(seen)) is found.shown


@given(pairs)
def test_candidate_and_incumbent_are_treated_alike(seen: list[tuple[float, float]]) -> None:
    one, two = weigh(Counter(seen)), weigh(Counter((-d, w) for d, w in seen))
    assert one.low == pytest.approx(-two.high, abs=1e-9)
    assert one.worse == pytest.approx(two.better)
    assert one.better == pytest.approx(two.worse)


@given(pairs)
def test_the_interval_holds_the_mean_of_what_was_seen(seen: list[tuple[float, float]]) -> None:
    found = weigh(Counter(seen))
    if found.difference is not None:
        assert found.low - 1e-9 <= found.difference <= found.high + 1e-9


@given(pairs, st.sampled_from([-1.0, 1.0]))
def test_one_more_loss_of_the_candidate_never_speaks_for_it(
    seen: list[tuple[float, float]], d: float
) -> None:
    before, after = weigh(Counter(seen)), weigh(Counter([*seen, (d, 1.0)]))
    assert (after.worse > before.worse) is (d > 0)
    assert (after.better > before.better) is (d < 0)


def ever_shown(chance: np.random.Generator, up: float, down: float, audits: int) -> set[Shown]:
    """All that is shown at any time in one life, looking after every audit."""
    seen: Counter[tuple[float, float]] = Counter()
    found = set()
    for draw in chance.random(audits):
        d = 1.0 if draw < up else -1.0 if draw < up + down else 0.0
        seen[d, 1.0] += 1
        if d:  # a tie changes neither wealth
            found.add(shown(seen))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("each", [0.02, 0.2])
def test_equals_are_called_different_in_at_most_five_of_a_hundred_lives(each: float) -> None:
    chance = np.random.default_rng(31)
    lives = 600
    false = sum(bool(ever_shown(chance, each, each, 300) - {Shown.OPEN}) for _ in range(lives))
    assert false / lives <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / lives) ** 0.5


def test_of_two_hundred_lives_of_equals_few_are_called_different_at_any_time() -> None:
    chance = np.random.default_rng(32)
    false = sum(bool(ever_shown(chance, 0.1, 0.1, 120) - {Shown.OPEN}) for _ in range(200))
    assert false <= 20  # at most 10 are expected: more than 20 have a chance of 0.1 %


def test_a_candidate_that_is_fifteen_points_worse_is_found_and_never_called_better() -> None:
    chance = np.random.default_rng(33)
    lives = [ever_shown(chance, 0.18, 0.03, 250) for _ in range(20)]
    assert sum(Shown.WORSE in life for life in lives) >= 17
    assert sum(Shown.BETTER in life for life in lives) <= 1


def test_audits_drawn_more_often_where_the_candidate_is_bad_do_not_mislead() -> None:
    # In a tenth of the traffic the candidate loses 45 points more, in the rest 5 points less:
    # on the whole no difference. The tenth is audited five times as often, and weighs a fifth.
    chance = np.random.default_rng(34)
    weighed: Counter[tuple[float, float]] = Counter()
    plain: Counter[tuple[float, float]] = Counter()
    for _ in range(1500):
        rare = chance.random() < 0.1 * 5 / (0.1 * 5 + 0.9)
        lost = chance.random() < (0.45 if rare else 0.05)
        d = (1.0 if rare else -1.0) if lost else 0.0
        weighed[d, 0.2 if rare else 1.0] += 1
        plain[d, 1.0] += 1
    assert weigh(weighed).shown is Shown.OPEN
    assert weigh(plain).shown is Shown.WORSE
