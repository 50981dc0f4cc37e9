"""Who trains, who calibrates, who is held out: distinct inputs, in the order of their calls.

A row that was logged ten times says what one row says. So an input counts once, through
one of its calls drawn by a hash (of those with gold, where there are any); its other calls
are repeats. The certificate then speaks of distinct inputs; what the repeats would add is
estimated beside it (`docs/reference/appraise.md`).
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from feilun.appraise.discover import Unit
from feilun.certify import budget, enough
from feilun.datasets.similar import near_any

_TIMED = 0.9  # a log in which this share has a time is ordered by it
_HOLDOUT = 0.2
_PLENTY = 1000  # judged inputs from which on some are held out
_MOST = 2000  # held out; and 3,000 calibrate: more take time and move little
_CALIBRATE = 3000
_CALIBRATION = 0.3
_MOST_CALIBRATION = 0.5
_SPARE = 1.5  # near-duplicates may take a third of the trained before the limit is missed
_MOMENTS = 10  # fewer different times order nothing
_SORTED = 0.3  # excess of equal neighbours, of what is possible; arrivals in bursts stay below

Order = Literal["time", "file", "shuffled"]


@dataclass(frozen=True)
class Sides:
    """Distinct inputs by what they do, oldest first, and what was done to get there."""

    train: list[Unit]
    calibration: list[Unit]
    holdout: list[Unit]
    calls: dict[str, int]  # how many calls each input stands for
    repeats: int
    conflicts: int
    near_duplicates: int
    order: Order


def split(
    units: Sequence[Unit], *, gold: bool, max_loss: float, confidence: float, limit: int
) -> Sides:
    """Split a task's calls. `gold`: only what people judged calibrates and is held out."""
    ordered, order = in_order(units)
    chosen = _representatives(ordered)
    judged = [place for place, unit in enumerate(chosen) if not gold or unit.gold is not None]
    held = min(_MOST, int(len(judged) * _HOLDOUT)) if len(judged) >= _PLENTY else 0
    take = _take(len(judged) - held, max_loss, confidence)
    start = len(judged) - held - take
    calibration = [chosen[place] for place in judged[start : start + take]]
    holdout = [chosen[place] for place in judged[start + take :]]
    cut = judged[start] if take else len(chosen)
    older = chosen[:cut][-int(limit * _SPARE) :]
    near = near_any([u.key for u in older], [u.key for u in (*calibration, *holdout)])
    train = [unit for unit, is_near in zip(older, near, strict=True) if not is_near]
    answers: dict[str, set[str]] = defaultdict(set)
    for unit in ordered:
        answers[unit.key].add(unit.right)
    return Sides(
        train=train[-limit:],
        calibration=calibration,
        holdout=holdout,
        calls=dict(Counter(unit.key for unit in ordered)),
        repeats=len(ordered) - len(chosen),
        conflicts=sum(len(said) > 1 for said in answers.values()),
        near_duplicates=int(near.sum()),
        order=order,
    )


def wanted(max_loss: float, confidence: float) -> int:
    """Calibration inputs that certify a student that is sure of half its calls at half the line."""
    return 2 * (enough(max_loss, budget(confidence, 1), max_loss / 2) or 0)


def rows_for(calibration: int) -> int:
    """How many judged inputs a log must have for so many to calibrate."""
    return round(calibration / _MOST_CALIBRATION)


def _take(judged: int, max_loss: float, confidence: float) -> int:
    take = max(wanted(max_loss, confidence), int(judged * _CALIBRATION))
    return min(take, int(judged * _MOST_CALIBRATION), _CALIBRATE)


def in_order(units: Sequence[Unit]) -> tuple[list[Unit], Order]:
    """Calls by time where nearly all have one (the others follow their neighbour), else by line.

    A file that is sorted by answer or by input has no time in it: its calls are shuffled.
    """
    by_line = sorted(units, key=lambda unit: unit.row.line)
    timed = [unit.row.at for unit in by_line if unit.row.at is not None]
    if len(timed) < _TIMED * len(by_line) or len(set(timed)) < _MOMENTS:
        if _sorted_by_content(by_line):
            return sorted(by_line, key=_lot), "shuffled"
        return by_line, "file"
    last = datetime(1970, 1, 1, tzinfo=UTC)
    moments = []
    for unit in by_line:
        last = unit.row.at or last
        moments.append((last, unit.row.line, unit))
    return [unit for _, _, unit in sorted(moments, key=lambda m: m[:2])], "time"


def _representatives(ordered: Sequence[Unit]) -> list[Unit]:
    """One call for each distinct input, drawn without a look at its answer, in order."""
    drawn: dict[str, tuple[tuple[bool, bytes], int]] = {}
    for place, unit in enumerate(ordered):
        rank = ((unit.gold is None, _lot(unit)), place)
        if unit.key not in drawn or rank < drawn[unit.key]:
            drawn[unit.key] = rank
    return [ordered[place] for place in sorted(place for _, place in drawn.values())]


def _lot(unit: Unit) -> bytes:
    """A lot that follows from a call's line alone."""
    line = str(unit.row.line).encode()
    return hashlib.blake2b(line, digest_size=8, person=b"appraise").digest()


def _sorted_by_content(units: Sequence[Unit]) -> bool:
    """Whether neighbours have the same answer, or rising inputs, far more often than by chance."""
    pairs = list(pairwise(units))
    if len(pairs) < 20:
        return False
    shares = [times / len(units) for times in Counter(unit.right for unit in units).values()]
    chance = sum(share * share for share in shares)
    same = sum(one.right == other.right for one, other in pairs) / len(pairs)
    rising = sum(one.key <= other.key for one, other in pairs) / len(pairs)
    return same - chance > _SORTED * (1 - chance) > 0 or not 0.1 < rising < 0.9


def made_up_time(place: int) -> datetime:
    """A moment for the record of a call: what counts is the order."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=place)
