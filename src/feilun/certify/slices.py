"""Slices of one look: the line held in each of them, and how bad the worst could be.

Where a task asks for its line per slice, each slice is a look of its own, and m of them
share delta: at delta / m each, the chance that any passes whose true loss is above the line
is at most delta (Bonferroni). Within a slice the thresholds are a fixed sequence, as ever.
Which slices are looked at follows from their number of audits alone, so from no label.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feilun.certify.ltt import Floats, Found, Plan, interval, look, plan
from feilun.ports import Prediction
from feilun.records import Example, Expected, Slice, Slicing, Task
from feilun.tasks import slice_of, ways

# Depends on neither a label nor the line: else a stricter line could prove more of a slice.
FEWEST = 20
"""A slice with fewer audits is the teacher's, and takes no share of delta from the others."""

MOST = 20
"""Slices that a certificate tells of, beside those that have a threshold of their own."""


@dataclass(frozen=True)
class Planned:
    """Slices that are worth a look, each with the number of audits it begins with.

    `level` is the error probability of each of the looks, and `delta` that of all. `largest`
    is the plan of the slice with the most audits, of which it has `audits`.
    """

    delta: float
    level: float
    starts: Mapping[str, int]
    largest: Plan
    audits: int


def names(by: Slicing, examples: Sequence[Example], predictions: Sequence[Prediction]) -> list[str]:
    """The slice of each audit, as it would have been known before the answer left."""
    pairs = zip(examples, predictions, strict=True)
    return [slice_of(by, e.input, p.output, e.tenant) for e, p in pairs]


def plan_slices(
    expected: Sequence[Expected], found: Sequence[str], max_loss: float, delta: float
) -> Planned:
    """Which slices to look at. Each is expected to lose what the candidate expects of all."""
    sizes = {name: n for name, n in Counter(found).most_common() if n >= FEWEST}
    level = delta / max(len(sizes), 1)
    plans = {name: plan(expected, n, max_loss, level) for name, n in sizes.items()}
    starts = {name: planned.first for name, planned in plans.items() if planned.worth_a_look}
    most = max(Counter(found).values(), default=0)
    return Planned(delta, level, starts, plan(expected, most, max_loss, level), most)


def look_slices(
    confidences: Floats, losses: Floats, found: Sequence[str], max_loss: float, planned: Planned
) -> dict[str, Found]:
    """One look in each slice that was planned. Spends `planned.level` for each."""
    of = np.array(found)
    looks = {}
    for name, first in planned.starts.items():
        here = of == name
        looks[name] = look(confidences[here], losses[here], max_loss, planned.level, first)
    return looks


def tell(
    task: Task,
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    losses: Floats,
    threshold: float,
    thresholds: Mapping[str, float] | None,
) -> tuple[tuple[Slice, ...], int]:
    """What the audits say of each slice, the worst first, and how many are left out.

    All ways to cut are told that give two slices or more, and the one of the red line.
    """
    confidences = np.array([p.confidence for p in predictions])
    served = confidences >= threshold
    per = task.red_line.per
    if thresholds is not None and per is not None:
        own = [thresholds.get(name, np.inf) for name in names(per, examples, predictions)]
        served = confidences >= np.array(own)
    told: list[Slice] = []
    for by in ways(task):
        of = np.array(names(by, examples, predictions))
        cut = np.unique(of)
        if len(cut) > 1 or by is per:
            told += [_slice(name, of == name, served, losses, thresholds or {}) for name in cut]
    told.sort(key=lambda one: (one.served == 0, -one.loss_high, one.name))
    kept = [one for n, one in enumerate(told) if n < MOST or one.threshold is not None]
    return tuple(kept), len(told) - len(kept)


def _slice(
    name: str,
    here: np.ndarray[tuple[int], np.dtype[np.bool_]],
    served: np.ndarray[tuple[int], np.dtype[np.bool_]],
    losses: Floats,
    thresholds: Mapping[str, float],
) -> Slice:
    lost = losses[here & served]
    n, total = len(lost), float(lost.sum())
    # Exact for losses of 0 and 1; any others are rounded away from what is claimed.
    low, _ = interval(int(total + 1e-9), n)
    _, high = interval(int(np.ceil(total - 1e-9)), n)
    return Slice(
        name=str(name),
        audits=int(here.sum()),
        served=n,
        loss=total / n if n else None,
        loss_low=low,
        loss_high=high,
        threshold=thresholds.get(str(name)),
    )
