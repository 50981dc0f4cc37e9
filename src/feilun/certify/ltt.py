"""Learn-then-Test for selective serving, by fixed-sequence testing.

A student serves the calls whose confidence is at least t. Each t is a hypothesis, "the
expected loss of the calls served at t is above the line". They are tested in one fixed
order, from the fewest calls served to all of them, each at level delta, and the first
that is not rejected ends it: the chance that any rejected one is true is at most delta
(Angelopoulos et al. 2021, "Learn then Test", section 2.3; Bauer 1991). The order is made
of the confidences alone, so no label is looked at before its test.

SciPy's and MAPIE's statistics are imported by the functions that need them: they take over
a second, and a gateway that only answers starts without them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from feilun.records import Expected

Floats = NDArray[np.float64]

_STEPS = 60  # thresholds tested at most; more buy under 1 % of coverage on Banking77
_POWER = 0.8  # chance that a sample called enough proves the line
_WORTH_A_LOOK = 0.7  # chance to pass; a look that fails costs its audits and its share of delta
_AS_LIKELY = 0.02
_SURE = 0.25  # of a student that expects nothing: its surest quarter errs at a quarter of the line


@dataclass(frozen=True)
class Found:
    """The outcome of one look. `threshold` is None when nothing was shown to hold."""

    threshold: float | None
    served: int
    loss: float | None  # mean loss of the served, or of the first set tested
    upper: float  # upper confidence limit of the loss at this threshold alone
    tested: int  # size of the first set tested


def budget(confidence: float, attempt: int) -> float:
    """The error probability that look number `attempt`, from 1, may spend.

    (1 - confidence) * 6 / (pi^2 k^2): over all k these sum to 1 - confidence.
    """
    return (1 - confidence) * 6 / (math.pi**2 * attempt**2)


def fewest(max_loss: float, delta: float) -> int:
    """How many audits with no loss at all would prove the line: below it no look can pass."""
    return math.ceil(math.log(delta) / math.log1p(-max_loss))


@lru_cache(maxsize=1024)  # slices ask for the same again
def enough(max_loss: float, delta: float, loss: float, limit: int = 5_000) -> int | None:
    """How many served audits prove the line with probability `_POWER`, if `loss` is true.

    None where no number up to `limit` does: `loss` is at or too near the line, and a
    better student is the cheaper way.
    """
    if loss >= max_loss:
        return None
    low, high = fewest(max_loss, delta), limit
    if not _passes(high, max_loss, delta, loss):
        return None
    while low < high:
        middle = (low + high) // 2
        if _passes(middle, max_loss, delta, loss):
            high = middle
        else:
            low = middle + 1
    return low


@dataclass(frozen=True)
class Plan:
    """How a look would begin: at `first` audits, the surest, with this `chance` to pass.

    `wanted` is the number of audits with which the chance reaches `_POWER`; None where
    no number does, because the student is expected to be above the line everywhere.
    """

    first: int
    chance: float
    wanted: int | None

    @property
    def worth_a_look(self) -> bool:
        """Whether the chance to pass is worth the audits and the share of the budget."""
        return self.chance >= _WORTH_A_LOOK


def plan(expected: Sequence[Expected], audits: int, max_loss: float, delta: float) -> Plan:
    """Plan a look from what the student expects of itself. No calibration label is used."""
    points = expected or (Expected(coverage=_SURE, loss=_SURE * max_loss),)
    needs = [(enough(max_loss, delta, p.loss), p.coverage) for p in points]
    wanted = [math.ceil(need / coverage) for need, coverage in needs if need]
    starts = [(round(p.coverage * audits), p) for p in points]
    chances = [(_chance(n, max_loss, delta, p.loss), n) for n, p in starts if n]
    best, _ = max(chances, default=(0.0, 0))
    # Of starts about as likely to pass the smallest: what it passes stands, whatever follows.
    first = min((n for chance, n in chances if chance >= best - _AS_LIKELY), default=0)
    return Plan(first, best, min(wanted, default=None))


def _passes(n: int, max_loss: float, delta: float, loss: float) -> bool:
    return _chance(n, max_loss, delta, loss) >= _POWER


@lru_cache(maxsize=8192)  # a plan looks some hundred times, at the same few sizes
def _chance(n: int, max_loss: float, delta: float, loss: float) -> float:
    """The probability that n audits prove the line, if `loss` is the true loss (0 or 1 each)."""
    from scipy.stats import binom

    allowed = int(binom.ppf(delta, n, max_loss))
    if binom.cdf(allowed, n, max_loss) > delta:
        allowed -= 1
    return float(binom.cdf(allowed, n, loss)) if allowed >= 0 else 0.0


def look(confidences: Floats, losses: Floats, max_loss: float, delta: float, first: int) -> Found:
    """Test the line on audits, both arrays of shape (n,), losses in [0, 1].

    Begins with the `first` surest audits. Spends `delta`: call it once for a set of
    audits. The certified threshold is the one that serves the most calls.
    """
    from mapie.risk_control.fwer_control import FWERFixedSequenceTesting, control_fwer

    thresholds = _sequence(confidences, first)
    kept = confidences[None, :] >= thresholds[:, None]
    served = kept.sum(axis=1)
    means = (kept * losses).sum(axis=1) / served
    p_values = _p_values(means, served, losses, max_loss)
    rejected = control_fwer(p_values, delta, FWERFixedSequenceTesting())
    best = int(rejected[-1]) if len(rejected) else 0
    return Found(
        threshold=float(thresholds[best]) if len(rejected) else None,
        served=int(served[best]),
        loss=float(means[best]),
        upper=_upper(means[best] * served[best], int(served[best]), delta),
        tested=int(served[0]),
    )


def of_served(losses: Floats, delta: float) -> Found:
    """What the losses of calls say that are served at several thresholds, each proved alone."""
    n = len(losses)
    mean = float(losses.mean())
    return Found(None, n, mean, _upper(mean * n, n, delta), n)


def _sequence(confidences: Floats, first: int) -> Floats:
    """Descending thresholds, of which the first serves the `first` surest and the last all."""
    n = len(confidences)
    ranks = np.unique(np.linspace(first, n, min(_STEPS, n - first + 1)).astype(int))
    descending = np.sort(confidences)[::-1]
    return np.unique(descending[ranks - 1])[::-1]


def _p_values(means: Floats, served: NDArray[np.int64], losses: Floats, line: float) -> Floats:
    from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
    from scipy.stats import binom

    if np.isin(losses, (0.0, 1.0)).all():  # exact; HB rounds n * mean up
        exact: Floats = binom.cdf(np.rint(means * served), served, line)
        return exact
    hb: Floats = compute_hoeffding_bentkus_p_value(means, served.astype(float), line)[:, 0]
    return hb


def _upper(total: float, n: int, delta: float) -> float:
    """Clopper-Pearson upper limit at level delta, of the total loss rounded up."""
    from scipy.stats import beta

    losses = math.ceil(total - 1e-9)
    return 1.0 if losses >= n else float(beta.ppf(1 - delta, losses + 1, n - losses))


def interval(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a share, `hits` of `n`. (0, 1) where n is 0."""
    from scipy.stats import beta

    if n == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return low, high
