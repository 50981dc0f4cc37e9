"""Recorded drift: how many audits and calls pass until a model that got worse is called back.

    python benchmarks/drift.py

The same thousand questions were put to two dated versions of GPT-4 and of GPT-3.5 (LLMDrift,
PRIME, Apache-2.0). The better version is the reference: the red line is its error and five
points, and the chance of a false alarm is to be at most 5 %. Then the worse version answers.
The watch was not chosen on these data: its bets and starts are fixed by theory and by
simulation (`feilun/watch/eprocess.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ground import machine, rows, shared

from feilun.certify import interval
from feilun.watch import EProcess

PAIRS = (
    ("GPT-4 0314 to 0613", "openaichat/gpt-4-0314", "openaichat/gpt-4-0613"),
    ("GPT-3.5 0613 to 0301", "openaichat/gpt-3.5-turbo-0613", "openaichat/gpt-3.5-turbo-0301"),
)
ALPHA = 0.05
POINTS = 0.05
SHUFFLES = 1000
HEALTHY_BEFORE = 500
RATES = (0.05, 0.1, 0.2)
"""The shares of calls that are audited."""


@dataclass(frozen=True)
class Recorded:
    """One version's answers to the thousand questions."""

    losses: Sequence[float]
    costs: Sequence[float]

    @property
    def error(self) -> float:
        """The share of wrong answers."""
        return float(np.mean(self.losses))


def read() -> dict[str, Recorded]:
    """Each version's losses and costs, in the order of the questions."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows(shared("llmdrift") / "prime.csv"):
        losses, costs = found.setdefault(row["model"], ([], []))
        losses.append(float(_said(row["answer"]) != row["ref_answer"].lower()))
        costs.append(float(row["cost"]))
    return {name: Recorded(*both) for name, both in found.items()}


def _said(answer: str) -> str:
    """The verdict in brackets; an answer without one says neither."""
    text = answer.lower()
    return "yes" if "[yes]" in text else "no" if "[no]" in text else ""


def until_alarm(line: float, losses: Sequence[float], before: Sequence[float] = ()) -> int | None:
    """After how many of `losses` the alarm is raised; None if never. 0: already `before`."""
    process = EProcess(line, ALPHA)
    for loss in before:
        if process.step(loss):
            return 0
    for number, loss in enumerate(losses, start=1):
        if process.step(loss):
            return number
    return None


def shuffled(values: Sequence[float], seed: int) -> list[float]:
    """The same values in an order that follows from the seed."""
    return [float(x) for x in np.random.default_rng(seed).permutation(values)]


def audits(pair: str, good: Recorded, bad: Recorded) -> None:
    """Audits until the alarm, and alarms where nothing has changed."""
    line = good.error + POINTS
    seeds = range(SHUFFLES)
    false = sum(until_alarm(line, shuffled(good.losses, seed)) is not None for seed in seeds)
    low, high = interval(false, SHUFFLES)
    print(f"\n{pair}: error {good.error:.1%} -> {bad.error:.1%}, line {line:.1%}")
    print(
        f"  false alarms in 1,000 healthy audits: {false} of {SHUFFLES} ({low:.1%} to {high:.1%})"
    )
    at_once = [until_alarm(line, shuffled(bad.losses, seed)) for seed in seeds]
    print(f"  audits until the alarm, changed from the start: {_told(at_once)}")
    later = [
        until_alarm(
            line,
            shuffled(bad.losses, seed),
            shuffled(good.losses, seed + SHUFFLES)[:HEALTHY_BEFORE],
        )
        for seed in seeds
    ]
    print(f"  after {HEALTHY_BEFORE} healthy audits: {_told(later)}")


def calls(good: Recorded, bad: Recorded) -> None:
    """Calls, wrong answers and money until the pointer is back, by the share that is audited."""
    line = good.error + POINTS
    for rate in RATES:
        lives = np.array([_live(line, bad, rate, seed) for seed in range(SHUFFLES)])
        mid, wrong, spent = np.median(lives, axis=0)
        late = np.quantile(lives[:, 0], 0.95)
        print(
            f"  audited {rate:.0%}: {mid:.0f} calls (p95 {late:.0f}), {wrong:.0f} wrong answers, "
            f"${spent:.3f} spent on them"
        )


def _live(line: float, bad: Recorded, rate: float, seed: int) -> tuple[float, float, float]:
    """One life from the change to the alarm: calls are drawn from the recorded ones."""
    chance = np.random.default_rng(10_000 + seed)
    process, count, wrong, spent = EProcess(line, ALPHA), 0, 0.0, 0.0
    while not process.reached:
        which = int(chance.integers(len(bad.losses)))
        count, wrong, spent = count + 1, wrong + bad.losses[which], spent + bad.costs[which]
        if chance.random() < rate:
            process.step(bad.losses[which])
    return count, wrong, spent


def _told(found: Sequence[int | None]) -> str:
    """Median and 95th percentile; those that never alarm count as the longest."""
    numbers = np.array([np.inf if n is None else n for n in found])
    missed, early = int(np.isinf(numbers).sum()), int((numbers == 0).sum())
    median, late = np.quantile(numbers, (0.5, 0.95), method="higher")
    return f"median {median:.0f}, p95 {late:.0f}; never {missed}, before the change {early}"


def main() -> None:
    """Print all figures; ends where the data are not there."""
    found = read()
    print(machine())
    for pair, good, bad in PAIRS:
        audits(pair, found[good], found[bad])
        calls(found[good], found[bad])


if __name__ == "__main__":
    main()
