"""Trials: how often equals are called different, and after how many audits a difference shows.

    python benchmarks/trials.py

Simulated lives of a paired comparison that is looked at after every audit. `up` is the share
of audited calls on which only the candidate is wrong, `down` that on which only the incumbent
is. The bets were fixed before (`feilun/trials/evidence.py`) and are not chosen here.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from ground import machine

from feilun.certify import interval
from feilun.trials import Shown, shown
from feilun.trials.evidence import ALPHA

EQUAL = ((0.02, 1_000), (0.1, 1_000), (0.3, 1_000))
DIFFERENT = ((0.2, 0.02), (0.15, 0.05), (0.1, 0.02), (0.06, 0.02), (0.12, 0.08))
LIVES = 500
PATIENCE = 5_000
SEED = 4


@dataclass(frozen=True)
class Life:
    """What was first shown, and by which audit; OPEN where nothing ever was."""

    said: Shown
    audits: int


def live(chance: np.random.Generator, up: float, down: float, audits: int) -> Life:
    """One life of a trial."""
    seen: Counter[tuple[float, float]] = Counter()
    for number, draw in enumerate(chance.random(audits), start=1):
        d = 1.0 if draw < up else -1.0 if draw < up + down else 0.0
        seen[d, 1.0] += 1
        if d and (said := shown(seen)) is not Shown.OPEN:  # a tie moves no evidence
            return Life(said, number)
    return Life(Shown.OPEN, audits)


def main() -> None:
    """Print both tables, in Markdown."""
    print(f"{machine()}, {LIVES} lives each, seed {SEED}\n")
    chance = np.random.default_rng(SEED)
    print(f"| equals, each alone wrong on | audits | called different (at most {ALPHA:.0%}) |")
    print("|---|---|---|")
    for each, audits in EQUAL:
        lives = [live(chance, each, each, audits) for _ in range(LIVES)]
        false = sum(life.said is not Shown.OPEN for life in lives)
        low, high = interval(false, LIVES)
        print(f"| {each:.0%} | {audits:,} | {false / LIVES:.1%} ({low:.1%} to {high:.1%}) |")
    print(
        "\n| only the candidate wrong | only the incumbent | median audits | p95 | called better |"
    )
    print("|---|---|---|---|---|")
    for up, down in DIFFERENT:
        lives = [live(chance, up, down, PATIENCE) for _ in range(LIVES)]
        needed = [life.audits for life in lives]
        wrong = sum(life.said is Shown.BETTER for life in lives)
        middle, late = (round(float(np.percentile(needed, p))) for p in (50, 95))
        print(f"| {up:.0%} | {down:.0%} | {middle:,} | {late:,} | {wrong / LIVES:.1%} |")


if __name__ == "__main__":
    main()
