"""How often to draw: more after a release, after a drift, and where few answers were drawn.

The need follows from the calls and drifts that came before, and from what the student says,
never from what is right. So each call is drawn with a chance that was fixed before anyone
could know whether its answer is right: the estimates stay unbiased (Horvitz and Thompson
1952), and the evidence of the watch stays valid at all times.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from feilun.records import Call, Drift, Instant, Release, Slicing, Task
from feilun.tasks import Drawing, slice_of, ways
from feilun.watch.audits import drawn

# After a release, and after a drift, a student is drawn so many times as often, and the
# excess halves with each further HALF answers that were drawn. HALF is the 95th percentile of
# the audits in which a student that fell from 84 % to 50 % is to be found (issue 4, proof 1):
# three times as often finds it in a third of the calls. Each costs HALF / ln 2 * ln 3 = 73
# audits more than the plain rate, however long people take to judge them.
AFTER = 3.0
HALF = 46.0

# Together at the most: a release into a drift is one need, not two.
MOST_TIMES = 5.0

# A slice is drawn at most so many times as often as the others. Its audits then weigh a
# quarter each, and what it adds to the variance of the whole stays small.
MOST_SLICE = 4.0

# A way to cut the calls into more slices than this tells no two of them apart by audits.
_MOST_SLICES = 1000

_HOUR = timedelta(hours=1)
_DAY_HOURS = 24


@dataclass(frozen=True)
class Rate:
    """Why a task is drawn as often as it is: what multiplies its rate, and what bounds it."""

    release: float  # for a young release
    drift: float  # for a drift
    allowed: float | None  # the highest rate that the budget allows; None without a budget
    drawing: Drawing


class Need:
    """What was drawn of the answers of one release. Feed it calls in the order of the log.

    Its size does not grow with the calls: a count for each slice, and one for each hour.
    """

    def __init__(self, task: Task, release: Release) -> None:
        self.drawn = 0
        self.since_drift: int | None = None
        self.slices: dict[Slicing, Counter[str]] = {by: Counter() for by in ways(task)}
        self._release = release
        self._hours: dict[datetime, _Hour] = {}

    def call(self, call: Call) -> None:
        """Take a call of the task."""
        if call.release != self._release.id:
            return
        self._pass(call)
        if call.by != "student" or not drawn(call):
            return
        self.drawn += 1
        if self.since_drift is not None:
            self.since_drift += 1
        for by in list(self.slices):
            tenant = call.tenant or call.key
            self.slices[by][slice_of(by, call.input, call.output, tenant)] += 1
            if len(self.slices[by]) > _MOST_SLICES:
                del self.slices[by]

    def drift(self, drift: Drift) -> None:
        """Take a drift, after the call that completed its evidence."""
        if drift.release == self._release.id:
            self.since_drift = 0

    def per_day(self, now: Instant) -> float:
        """The calls of a day, by those of the last one; of less than a day, as if it went on."""
        hours = self._recent(now)
        if not hours:
            return 0.0
        passed = min(now - min(hours), _DAY_HOURS * _HOUR) / _HOUR
        return sum(h.calls for h in hours.values()) * _DAY_HOURS / max(passed, 1.0)

    def ratio(self, now: Instant) -> float:
        """How many times as often calls were drawn as the common rate says, for their slices."""
        hours = self._recent(now).values()
        calls = sum(hour.calls for hour in hours)
        return sum(hour.times for hour in hours) / calls if calls else 1.0

    def _pass(self, call: Call) -> None:
        at = call.at.replace(minute=0, second=0, microsecond=0)
        hour = self._hours.setdefault(at, _Hour())
        hour.calls += 1
        hour.times += call.audit_rate / call.common_rate if call.common_rate else 1.0
        while len(self._hours) > _DAY_HOURS + 1:
            del self._hours[min(self._hours)]

    def _recent(self, now: Instant) -> dict[datetime, "_Hour"]:
        since = now - _DAY_HOURS * _HOUR
        return {at: hour for at, hour in self._hours.items() if at >= since}


@dataclass(slots=True)
class _Hour:
    calls: int = 0
    times: float = 0.0


def rate(need: Need, allowed: float | None = None) -> Rate:
    """How often to draw the calls of a release now. `allowed` is what the budget allows.

    The budget outranks all needs, and is above 0: so is the rate.
    """
    release = _fading(need.drawn)
    drift = 1.0 if need.since_drift is None else _fading(need.since_drift)
    times = min(release * drift, MOST_TIMES)
    cut = {by: _slices(counts) for by, counts in need.slices.items() if len(counts) > 1}
    drawing = Drawing(
        times=times,
        most=1.0 if allowed is None else min(allowed, 1.0),
        ways=tuple(cut),
        slices={name: more for found in cut.values() for name, more in found.items()},
        unseen=max((_rare(0, need.slices[by]) for by in cut), default=1.0),
    )
    return Rate(release, drift, allowed, drawing)


def allowed_rate(per_day: float, needs: Mapping[str, Need], now: Instant) -> float | None:
    """The rate at which so many audits a day are drawn of all students; None without calls.

    It is the same for all tasks and follows the calls of a whole day, so that no hour of the
    day is drawn more often than another.
    """
    expected = sum(need.per_day(now) * need.ratio(now) for need in needs.values())
    return per_day / expected if expected else None


def _fading(drawn: int) -> float:
    return 1 + (AFTER - 1) * 2 ** (-drawn / HALF)


def _slices(counts: Counter[str]) -> dict[str, float]:
    return {name: _rare(count, counts) for name, count in counts.items()}


def _rare(count: int, counts: Counter[str]) -> float:
    """How many times as often a slice is drawn of which `count` answers were.

    Against the even share, and by the square root: half-way between what is best for the
    whole and what is best for each slice (power allocation, Bankier 1988).
    """
    even = counts.total() / len(counts)
    return min(max(math.sqrt((even + 1) / (count + 1)), 1.0), MOST_SLICE)
