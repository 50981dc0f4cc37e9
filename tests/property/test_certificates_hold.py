"""The promise of a certificate, counted over thousands of replays: run by `make test-slow`."""

import numpy as np
import pytest
from scipy.stats import binom

from feilun.certify import look, plan
from feilun.records import Expected

DELTA = 0.05
REPLAYS = 4000


@pytest.mark.slow
@pytest.mark.parametrize("line", [0.02, 0.05, 0.2])
def test_at_most_delta_of_all_certificates_are_wrong(line: float) -> None:
    """A student whose error crosses the line at half of its calls, so that more would tempt."""
    expected = (Expected(coverage=0.3, loss=line / 2), Expected(coverage=1.0, loss=line * 1.2))
    wrong = 0
    for seed in range(REPLAYS):
        chance = np.random.default_rng(seed)
        confidences = chance.random(600)
        losses = (chance.random(600) < line * (2.2 - 1.6 * confidences)).astype(float)
        found = look(confidences, losses, line, DELTA, plan(expected, 600, line, DELTA).first or 60)
        if found.threshold is not None:
            # the mean of 2.2 - 1.6 c over c in [t, 1] is 1.4 - 0.8 t, in lines
            wrong += 1.4 - 0.8 * found.threshold > 1
    assert wrong > 0, "a student that never tempts the line tests nothing"
    assert binom.sf(wrong - 1, REPLAYS, DELTA) > 0.001, f"{wrong} of {REPLAYS}"
