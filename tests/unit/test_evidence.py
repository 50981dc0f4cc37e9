"""Evidence: valid at whatever moment one looks, quick where there is something to find."""

import math
import random
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.exchangeability_testing import OnlineMartingaleTest, RiskMonitoring

from feilun.watch.conformal import Exchangeability, chance_of
from feilun.watch.eprocess import EProcess
from feilun.watch.novelty import Novelty

LINE, ALPHA = 0.1, 0.05


def losses(mean: float, count: int, seed: int) -> list[float]:
    chance = random.Random(seed)  # noqa: S311 - simulated audits
    return [float(chance.random() < mean) for _ in range(count)]


def alarmed_at(
    seen: Sequence[float], line: float = LINE, most: float | None = 1.0, weight: float = 1.0
) -> int | None:
    process = EProcess(line, ALPHA, most)
    return next((n for n, x in enumerate(seen, 1) if process.step(x, weight)), None)


# The promise


@pytest.mark.parametrize("most", [1.0, None])
def test_at_the_line_itself_an_alarm_is_as_rare_as_promised(most: float | None) -> None:
    lives = [alarmed_at(losses(LINE, 600, seed), most=most) for seed in range(300)]
    alarms = sum(found is not None for found in lives)
    assert alarms <= 300 * ALPHA + 3 * math.sqrt(300 * ALPHA * (1 - ALPHA))
    if most:
        assert alarms > 0  # what is promised is also spent: it does not stay silent by weakness


@given(
    line=st.floats(0.01, 0.9),
    alpha=st.floats(0.001, 0.4),
    steps=st.lists(st.sampled_from([0.0, 0.3, 1.0]), max_size=60),
    weight=st.floats(0.05, 1.0),
)
def test_no_bet_gains_on_average_whatever_came_before(
    line: float, alpha: float, steps: list[float], weight: float
) -> None:
    """The martingale law itself: from any state, at the line, the next evidence is this one."""
    up, down = EProcess(line, alpha), EProcess(line, alpha)
    for x in steps:
        up.step(x, weight)
        down.step(x, weight)
    before = up.evidence
    up.step(1.0, weight)
    down.step(0.0, weight)
    after = line * up.evidence + (1 - line) * down.evidence
    assert after == pytest.approx(before, rel=1e-9)


@given(st.lists(st.floats(0, 1), max_size=80), st.floats(0.02, 0.5))
def test_evidence_is_never_negative_and_never_more_than_is_needed(
    seen: list[float], line: float
) -> None:
    process = EProcess(line, ALPHA)
    for x in seen:
        process.step(x)
        assert 0 <= process.evidence <= process.limit * (1 + 1e-9)


def test_what_is_drawn_more_often_does_not_pull_the_evidence_to_itself() -> None:
    # One call in ten is of a slice that is wrong half of the time and drawn always; the others
    # are right and drawn at a tenth. The traffic's mean is half the line.
    def audits(seed: int) -> list[tuple[float, float]]:
        chance = random.Random(seed)  # noqa: S311 - simulated audits
        found = []
        for _ in range(4000):
            rare = chance.random() < 0.1
            if rare or chance.random() < 0.1:
                found.append((float(rare and chance.random() < 0.5), 0.1 if rare else 1.0))
        return found

    def alarms(weighted: bool) -> int:
        count = 0
        for seed in range(20):
            process = EProcess(LINE, ALPHA)
            count += any(process.step(x, w if weighted else 1.0) for x, w in audits(seed))
        return count

    assert alarms(weighted=False) == 20
    assert alarms(weighted=True) == 0


# Its power


def test_a_broken_student_is_found_sooner_the_worse_it_is() -> None:
    def typical(mean: float) -> float:
        found = [alarmed_at(losses(mean, 3000, seed)) for seed in range(40)]
        return float(np.median([n or math.inf for n in found]))

    assert typical(0.9) < typical(0.5) < typical(0.25) < 60


def test_a_change_after_long_health_is_found_too() -> None:
    seen = losses(0.05, 2000, 1) + losses(0.5, 200, 2)
    found = alarmed_at(seen)
    assert found is not None
    assert 2000 < found < 2060


@pytest.mark.parametrize(("mean", "seed"), [(0.25, 1), (0.25, 2), (0.4, 3), (0.6, 4)])
def test_it_alarms_where_mapies_monitor_does_and_sooner(mean: float, seed: int) -> None:
    healthy, broken = losses(0.05, 400, seed), losses(mean, 400, seed)
    assert alarmed_at(healthy) is None
    assert not mapie_alarms(healthy)
    found = alarmed_at(broken)
    assert found is not None
    assert not mapie_alarms(broken[: found - 1])
    assert mapie_alarms(broken)


def mapie_alarms(seen: Sequence[float]) -> bool:
    """Whether MAPIE's time-uniform monitor of accuracy finds a risk above the line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monitor = RiskMonitoring("accuracy", test_level=ALPHA, threshold=LINE, warn=False)
        monitor.update(np.ones(len(seen)), 1 - np.array(seen))
    return bool(monitor.harmful_shift_detected)


def test_its_state_is_as_large_after_many_steps_as_after_one() -> None:
    def size(process: EProcess) -> int:
        return sum(
            len(held) if isinstance(held := getattr(process, name), list) else 1
            for name in EProcess.__slots__
        )

    process = EProcess(LINE, ALPHA)
    process.step(0.0)
    one = size(process)
    for x in losses(0.05, 2000, 3):
        process.step(x)
    assert size(process) == one
    assert not hasattr(process, "__dict__")


def test_an_observation_without_bounds_cannot_break_it() -> None:
    process = EProcess(1.0, ALPHA, most=None)
    assert process.step(1e308)
    assert math.isfinite(process.evidence)


def test_once_reached_it_stays() -> None:
    process = EProcess(LINE, ALPHA)
    while not process.step(1.0):
        pass
    then = (process.evidence, process.seen)
    assert process.step(0.0)
    assert (process.evidence, process.seen) == then


# The early warning


def test_exchangeable_scores_raise_no_warning_however_they_are_spread() -> None:
    found = 0
    for seed in range(60):
        chance = random.Random(seed)  # noqa: S311 - simulated scores
        test = Exchangeability()
        # Ties at 1.0, as the confidences of a sure student have them.
        scores = (min(1.0, chance.betavariate(8, 1) + 0.05) for _ in range(500))
        found += any(test.step(score, chance.random()) >= 100 for score in scores)
    assert found <= 3


@pytest.mark.parametrize("after", [0.4, 0.97])
def test_scores_that_fall_or_rise_raise_one_soon(after: float) -> None:
    chance = random.Random(5)  # noqa: S311 - simulated scores
    test = Exchangeability()
    for _ in range(1500):
        test.step(chance.uniform(0.5, 0.95), chance.random())
    assert test.evidence < 100
    steps = [test.step(after, chance.random()) >= 100 for _ in range(150)]
    assert any(steps)


def test_its_bets_are_those_of_mapies_jumper_and_of_later_starts_beside() -> None:
    # The sum holds the jumper that starts at the first rank with the share that is staked
    # there: it is never below that share of what MAPIE's has.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = OnlineMartingaleTest(test_method="jumper_martingale", task="classification")
    ours = Exchangeability()
    chance = random.Random(6)  # noqa: S311 - simulated ranks
    for n in range(400):
        rank = chance.random() if n < 200 else chance.random() / 3
        theirs.update_simple_jumper_martingale(rank)
        assert ours.bet(rank) >= 0.64 * theirs.current_martingale_value
    assert theirs.current_martingale_value > 100


def test_the_chance_that_breaks_ties_follows_from_the_call_alone() -> None:
    found = [chance_of(f"call-{n}") for n in range(2000)]
    assert found == [chance_of(f"call-{n}") for n in range(2000)]
    assert 0 <= min(found) < max(found) < 1
    assert sum(found) / len(found) == pytest.approx(0.5, abs=0.03)


# Novelty


def test_known_inputs_are_not_new_and_others_are_in_any_language() -> None:
    novelty = Novelty(["a cup of green tea", "一杯绿茶", {"line": "tea", "shop": 3}])
    assert novelty("a cup of green tea") == 0
    assert novelty({"shop": 3, "line": "tea"}) == 0
    assert 0 < novelty("a cup of black tea") < 0.6
    assert novelty("两瓶可乐") > 0.9
    assert novelty("") in (0, 1)


@given(st.one_of(st.text(max_size=200), st.dictionaries(st.text(), st.integers())))
def test_newness_is_a_share_of_whatever_comes(input: object) -> None:
    assert 0 <= Novelty(["green tea"])(input) <= 1


def test_a_text_with_half_a_character_and_a_huge_one_are_read() -> None:
    novelty = Novelty(["green tea"])
    assert novelty("\ud800 tea") > 0
    assert novelty("x" * 1_000_000) == 1
