"""How often the calls of a task are drawn for an audit, as the answer is being made.

The rate that is configured is multiplied by what the task needs now, and once more for a
slice of which few answers were drawn. The watch says how often (`watch/rate.py`); whoever
answers looks it up here, after the prediction, at the cost of one look into a dictionary.
"""

from collections.abc import Mapping
from typing import NamedTuple

from feilun.records import Json, Slicing
from feilun.tasks.slices import slice_of

# While a student serves, so many of the calls are drawn at the least. A student that answers
# half as well again as its line allows is then found within some thousands of calls.
FLOOR = 0.01


class Drawing(NamedTuple):
    """What multiplies a rate. `slices` are those cut in one of the `ways`, by name."""

    times: float = 1.0
    most: float = 1.0  # the highest rate that the budget of audits allows
    ways: tuple[Slicing, ...] = ()
    slices: Mapping[str, float] = {}
    unseen: float = 1.0  # of a slice of which nothing was drawn so far


def common_rate(rate: float, drawing: Drawing | None) -> float:
    """The rate of a task's calls while a student serves: never 0, and at most 1."""
    wanted = max(rate, FLOOR)
    return wanted if drawing is None else min(wanted * drawing.times, drawing.most, 1.0)


def rate_of(
    common: float, drawing: Drawing | None, input: Json, output: Json, tenant: str | None
) -> float:
    """The rate of one call that a student answers: that of its rarest slice."""
    if drawing is None or not drawing.ways:
        return common
    names = (slice_of(by, input, output, tenant) for by in drawing.ways)
    return min(common * max(drawing.slices.get(name, drawing.unseen) for name in names), 1.0)
