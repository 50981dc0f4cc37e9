"""The promises of a whole life, counted over sixty of them: run by `make test-slow`."""

import sys
from pathlib import Path

import pytest
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import lives

LIVES = 60


@pytest.mark.slow
def test_over_a_life_of_ten_retrains_both_promises_hold() -> None:
    hard = [lives.live(seed, lives.just_above, breaks=0.0) for seed in range(LIVES)]
    wrong = sum(life.above for life in hard)
    false = sum(lives.at_the_line(seed) for seed in range(LIVES))
    assert binom.sf(wrong - 1, LIVES, 1 - lives.LINE.confidence) > 0.001
    assert binom.sf(false - 1, LIVES, lives.LINE.false_alarms) > 0.001


@pytest.mark.slow
def test_students_that_break_are_called_back_and_those_that_do_not_stay() -> None:
    usual = [lives.live(seed, lives.as_they_come, breaks=0.3) for seed in range(LIVES)]
    served = [each for life in usual for each in life.served]
    broke = [each for each in served if each.broken is not None]
    caught = [each for each in broke if each.alarm is not None and each.alarm > each.at]
    assert len(broke) > 20
    assert len(caught) > 0.8 * len(broke)
    assert sum(life.false for life in usual) <= 0.1 * LIVES
