"""How a task's loss falls with examples: a power law, and how far it can be trusted.

    loss(n) = level * (floor + (1 - floor) * (n / N) ** -slope)

N is the largest size that was measured, so `floor` is the share of the loss there that no
number of examples takes away. Power laws with a floor describe most learning curves
(Hestness et al. 2017, "Deep learning scaling is predictable, empirically"; Viering & Loog
2022, "The shape of learning curves: a review"). A curve here has three to five points, too
few for a best fit to mean much: all laws on a grid are kept, each weighed by how well it
explains the points (a Bayesian fit with a flat prior), and a prediction draws from them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feilun.records import CurvePoint

Floats = NDArray[np.float64]

FEWEST_POINTS = 3  # two points fit every law
_FLOORS = np.linspace(0.0, 0.95, 20)
# Reported are 0.07 to 0.35 for deep nets and up to 1 for others; a task of 150 labels with few
# examples of each falls more steeply still.
_SLOPES = np.linspace(0.05, 2.0, 20)
_LEVELS = np.exp(np.linspace(-0.8, 0.8, 41))  # around the loss of the last point
# What another draw of as many examples changes in log loss. Of 0, 0.03, 0.05, 0.1 and 0.15 it
# came nearest to 80 % of made-up curves inside their 80 % intervals (docs/design/0014-plan.md).
_JITTER = 0.05


@dataclass(frozen=True)
class Curve:
    """Power laws, arrays of shape (laws,), and the probability of each."""

    size: int  # N: the largest size measured
    levels: Floats
    floors: Floats
    slopes: Floats
    weights: Floats

    def losses(self, examples: float) -> Floats:
        """The loss at a size, by each of the laws."""
        fallen: Floats = (max(examples, 1.0) / self.size) ** -self.slopes
        return self.levels * (self.floors + (1 - self.floors) * fallen)

    def kept(self, before: float, after: float, draws: int, chance: np.random.Generator) -> Floats:
        """The share of its errors that a task keeps from one size to another, drawn so often."""
        taken = chance.choice(len(self.weights), draws, p=self.weights)
        share: Floats = (self.losses(after) / self.losses(before))[taken]
        return share * np.exp(chance.normal(0.0, _JITTER, draws))


def fit(points: Sequence[CurvePoint]) -> Curve | None:
    """The power laws that may lie behind points; None where there are fewer than three.

    In log loss, each point weighed by its binomial variance and that of the training draw.
    """
    sizes = sorted({point.examples for point in points if point.tested})
    if len(sizes) < FEWEST_POINTS:
        return None
    told = [point for point in points if point.tested]
    seen = np.array([_smooth(point) for point in told])
    tested = np.array([point.tested for point in told])
    spread = np.sqrt((1 - seen) / (seen * (tested + 1)) + _JITTER**2)
    last = max(told, key=lambda point: point.examples)
    levels, floors, slopes = (
        axis.ravel()
        for axis in np.meshgrid(_LEVELS * _smooth(last), _FLOORS, _SLOPES, indexing="ij")
    )
    laws = Curve(sizes[-1], levels, floors, slopes, np.empty(0))
    misses = sum(
        ((np.log(laws.losses(point.examples)) - math.log(loss)) / by) ** 2
        for point, loss, by in zip(told, seen, spread, strict=True)
    )
    weights = np.exp(-0.5 * (misses - np.min(misses)))
    return Curve(sizes[-1], levels, floors, slopes, weights / weights.sum())


def usual(size: int) -> Curve:
    """All laws alike: what is known of a curve before anything is measured."""
    floors, slopes = (axis.ravel() for axis in np.meshgrid(_FLOORS, _SLOPES, indexing="ij"))
    even = np.full(len(floors), 1 / len(floors))
    return Curve(size, np.ones(len(floors)), floors, slopes, even)


def _smooth(point: CurvePoint) -> float:
    """The loss of a point with half an error more, so that no error is not certainty."""
    return (point.loss * point.tested + 0.5) / (point.tested + 1)
