"""What a look would find: the coming look is made many times, on audits drawn from now.

Held-out answers say how often a student errs at each confidence. A draw takes as many of
them, with replacement, as there are held-out answers (they are a sample, too), lets the
learning curve take away a share of the errors, draws as many audits as there will be, and
looks as the certifier looks. The share of the draws that pass is the chance of a
certificate; what these serve is the coverage.

That errors go away at all confidences alike is a guess: on the daily sample it foretold the
next turn better than that none goes away (docs/design/0014-plan.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from feilun.planning.curve import Curve, Floats, usual
from feilun.records import Between

DRAWS = 200  # an interval's ends then move by a fortieth of its width from seed to seed
_TAIL = 0.1  # 80 % intervals


@dataclass(frozen=True)
class Pairs:
    """Confidences and losses of answers, both of shape (n,), losses 0 or 1."""

    confidences: Floats
    losses: Floats

    def __len__(self) -> int:
        return len(self.losses)


class Look(Protocol):
    """How the certifier would look: with what expectation it begins, and what it finds."""

    def begins(self, expected: Pairs, audits: int) -> int | None:
        """At how many of the surest audits a look begins; None where it is not worth one."""

    def serves(self, audits: Pairs, first: int) -> float | None:
        """The share that is certified to be served; None for a refusal."""

    def wanted(self, expected: Pairs, audits: int) -> int | None:
        """How many audits make the look worth it; None where no number does."""


@dataclass(frozen=True)
class Held:
    """Answers of a student of `size` examples, each by one that had learnt from `learnt`."""

    pairs: Pairs
    size: int
    learnt: int


@dataclass(frozen=True)
class Next:
    """What the next student would learn from, and how many audits would judge it."""

    examples: int
    audits: int


def forecast(held: Held, curve: Curve | None, coming: Next, look: Look, seed: int) -> Floats:
    """The coverage that each of `DRAWS` looks would certify, 0 for a refusal; shape (draws,).

    Of the student at hand it is known what it expects of itself; of another one that is
    drawn, too. Without a curve all its laws are as likely.
    """
    chance = np.random.default_rng(seed)
    at_hand = coming.examples == held.size
    known = look.begins(held.pairs, coming.audits) if at_hand else None
    served = np.zeros(DRAWS)
    if (at_hand and known is None) or not len(held.pairs):
        return served
    grown = held.learnt * coming.examples / held.size
    kept = _kept(curve, held.learnt, coming.examples, chance)
    shown = _kept(curve, held.learnt, grown, chance)
    for draw in range(DRAWS):
        traffic = _resampled(held.pairs, len(held.pairs), 1.0, chance)
        expected = _resampled(traffic, len(traffic), shown[draw], chance)
        first = known if at_hand else look.begins(expected, coming.audits)
        if first is not None:
            audits = _resampled(traffic, coming.audits, kept[draw], chance)
            served[draw] = look.serves(audits, first) or 0.0
    return served


def between(draws: Sequence[float] | Floats) -> Between:
    """Mean and 80 % interval of draws."""
    low, high = np.quantile(draws, [_TAIL, 1 - _TAIL])
    return Between(
        mid=round(float(np.mean(draws)), 6), low=round(float(low), 6), high=round(float(high), 6)
    )


def _kept(curve: Curve | None, before: float, after: float, chance: np.random.Generator) -> Floats:
    return (curve or usual(int(before))).kept(before, after, DRAWS, chance)


def _resampled(pairs: Pairs, size: int, kept: float, chance: np.random.Generator) -> Pairs:
    """So many pairs drawn with replacement, that keep this share of the errors.

    A share above 1 takes the place of right answers by more errors of those seen.
    """
    places = chance.integers(len(pairs), size=size)
    wrong = np.flatnonzero(pairs.losses)
    if kept > 1 and len(wrong):
        more = chance.random(size) < pairs.losses.mean() * (kept - 1)
        places[more] = wrong[chance.integers(len(wrong), size=int(more.sum()))]
    losses = pairs.losses[places] * (chance.random(size) < kept)
    return Pairs(pairs.confidences[places], losses)
