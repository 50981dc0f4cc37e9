"""What moves the runway most: one table at a time, the others as they are drawn.

A tornado has two questions. How much does the median depend on how this table turns out:
it is held at its 10th and its 90th percentile (futures of the table ranked by what it
brings in all). And what would a tenth more or less of it change: that holds for tables without any
declared uncertainty too.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from feilun.capital.flows import Part, Paths
from feilun.capital.runway import ends

_LOW, _HIGH, _TENTH = 0.1, 0.9, 0.1


@dataclass(frozen=True)
class Driver:
    """The median runway in months, with one table held; the horizon where it lasts beyond."""

    place: str
    name: str
    at_p10: float
    at_p90: float
    tenth_better: float  # a tenth more of what comes, or less of what goes
    tenth_worse: float

    @property
    def swing(self) -> float:
        """How far the table's own chance moves the median."""
        return abs(self.at_p90 - self.at_p10)


def drivers(cash: float, paths: Paths, parts: Iterable[Part]) -> list[Driver]:
    """Every table of those that make the paths, those that move the median most first."""
    found = [_driver(cash, paths, part) for part in parts]
    return sorted(
        found, key=lambda each: (-each.swing, each.tenth_worse - each.tenth_better, each.place)
    )


def _driver(cash: float, paths: Paths, part: Part) -> Driver:
    own = np.cumsum(part.money, axis=1)
    order = np.argsort(own[:, -1], kind="stable")
    rest = paths - own
    low, high = (own[order[int(share * (len(order) - 1))]] for share in (_LOW, _HIGH))
    better = own + _TENTH * np.abs(own)
    worse = own - _TENTH * np.abs(own)
    return Driver(
        part.place, part.name, *(_median(cash, rest + held) for held in (low, high, better, worse))
    )


def _median(cash: float, paths: Paths) -> float:
    """The lower middle value: an average of two would be infinite where one of them is."""
    months = np.sort(ends(cash, paths))
    return float(min(months[(len(months) - 1) // 2], paths.shape[1]))
