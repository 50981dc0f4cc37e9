"""Whole lives of a task: ten retrains each, certified and watched, and what was promised counted.

    python benchmarks/lives.py

A student of a confidence c errs with probability e(c), so the true loss of what it serves
above any threshold is known. Each retrain is judged on fresh audits by the path that
`certify.judge` takes (plan, budget, look). What passes is watched audit by audit with its share
of the budget of false alarms. Three kinds of lives: students as they come, some of which break
while they serve; students that are all just above the line, the hardest for the gate; and
students that serve exactly at the line for ever, the hardest for the watch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from ground import machine

from feilun.certify import budget, interval, look, plan
from feilun.records import Expected, RedLine
from feilun.watch import EProcess, alpha_of

LIVES = 500
RETRAINS = 10
FRESH = 300  # audits that judge each retrain
WATCHED = 400  # audits of what it serves, until the next retrain
BREAKS = 0.3  # of the released students, so many break while they serve
LINE = RedLine(max_loss=0.05, confidence=0.95, false_alarms=0.05)


@dataclass(frozen=True)
class Made:
    """A student: it errs with probability `top` where it is surest, `top` + `slope` where least.

    It expects `hope` times its true loss of itself. The promise does not rest on that.
    """

    top: float
    slope: float
    hope: float

    def loss_above(self, threshold: float) -> float:
        """The true mean loss of what it serves from a confidence on, confidences being uniform."""
        return self.top + self.slope * (1 - threshold) / 2


@dataclass(frozen=True)
class Served:
    """A released student: its true loss, the true loss after it broke, and when the alarm came."""

    loss: float
    broken: float | None
    at: int  # after how many audits it broke
    alarm: int | None


@dataclass(frozen=True)
class Life:
    """The retrains of one task: which passed, and how those did."""

    retrains: int
    good: int  # students with a clear margin below the line on all calls
    good_released: int
    served: tuple[Served, ...]

    @property
    def above(self) -> bool:
        """Whether a student above its line was ever released."""
        return any(each.loss > LINE.max_loss for each in self.served)

    @property
    def false(self) -> bool:
        """Whether a student that held its line was ever called back."""
        held = (each for each in self.served if each.loss <= LINE.max_loss)
        return any(each.alarm is not None and each.alarm <= each.at for each in held)


def as_they_come(chance: np.random.Generator) -> Made:
    """Half of the students have a clear margin, the others are near the line or above it."""
    mean = LINE.max_loss * chance.choice((0.2, 0.4, 0.4, 0.9, 1.1, 2.0))
    return Made(top=mean / 2, slope=mean, hope=chance.uniform(0.7, 1.3))


def just_above(_: np.random.Generator) -> Made:
    """Above the line at every threshold, and full of hope: each certificate is a wrong one."""
    return Made(top=LINE.max_loss * 1.001, slope=0.0, hope=0.2)


def live(seed: int, make: Callable[[np.random.Generator], Made], *, breaks: float) -> Life:
    """One life. All chance comes from the seed."""
    chance = np.random.default_rng(seed)
    looks = good = good_released = 0
    served: list[Served] = []
    for _ in range(RETRAINS):
        student = make(chance)
        clear = student.loss_above(0.0) <= LINE.max_loss / 2
        threshold, looked = judge(student, looks + 1, chance)
        looks, good = looks + looked, good + clear
        if threshold is not None:
            good_released += clear
            served.append(watch(student, threshold, len(served) + 1, chance, breaks))
    return Life(RETRAINS, good, good_released, tuple(served))


def judge(student: Made, attempt: int, chance: np.random.Generator) -> tuple[float | None, bool]:
    """The threshold that fresh audits certify, if any, and whether a look was spent."""
    delta = budget(LINE.confidence, attempt)
    points = (0.25, 0.5, 0.75, 1.0)
    expected = [
        Expected(coverage=share, loss=student.loss_above(1 - share) * student.hope)
        for share in points
    ]
    planned = plan(expected, FRESH, LINE.max_loss, delta)
    if not planned.worth_a_look:
        return None, False
    confidences = chance.random(FRESH)
    wrong = chance.random(FRESH) < student.top + student.slope * (1 - confidences)
    losses = wrong.astype(float)
    return look(confidences, losses, LINE.max_loss, delta, planned.first).threshold, True


def watch(
    student: Made, threshold: float, number: int, chance: np.random.Generator, breaks: float
) -> Served:
    """What comes of a released student: it may break, and the watch may see it."""
    loss = student.loss_above(threshold)
    broken, at = None, WATCHED
    if chance.random() < breaks:
        broken, at = LINE.max_loss * chance.uniform(2, 6), int(chance.integers(WATCHED // 2))
    risks = np.where(np.arange(WATCHED) < at, loss, broken or 0.0)
    losses = (chance.random(WATCHED) < risks).astype(float)
    return Served(loss, broken, at, first_alarm(losses.tolist(), number))


def first_alarm(losses: list[float], number: int) -> int | None:
    """After how many audits the watch of the life's student `number` raises its alarm."""
    process = EProcess(LINE.max_loss, alpha_of(LINE, number))
    return next((n for n, loss in enumerate(losses, 1) if process.step(loss)), None)


def at_the_line(seed: int) -> bool:
    """Whether a life in which all students serve exactly at the line sees any alarm."""
    chance = np.random.default_rng(seed)
    rows = chance.random((RETRAINS, WATCHED)) < LINE.max_loss
    numbered = enumerate(rows.astype(float).tolist(), start=1)
    return any(first_alarm(losses, number) is not None for number, losses in numbered)


def share(hits: int, n: int) -> str:
    """A share with its exact 95 % interval."""
    low, high = interval(hits, n)
    return f"{hits} of {n} = {hits / n:.1%} ({low:.1%} to {high:.1%})"


def lines(lives: int) -> Iterator[str]:
    """What is reported, line by line."""
    usual = [live(seed, as_they_come, breaks=BREAKS) for seed in range(lives)]
    hard = [live(seed, just_above, breaks=0.0) for seed in range(lives)]
    alarmed = sum(at_the_line(seed) for seed in range(lives))
    yield f"Of {lives} lives with {RETRAINS} retrains each, line {LINE.max_loss:.0%}:"
    yield f"  released above the line, ever: {share(sum(x.above for x in usual), lives)}"
    yield f"    all students just above it: {share(sum(x.above for x in hard), lives)}"
    yield f"  called back below the line, ever: {share(sum(x.false for x in usual), lives)}"
    yield f"    all students exactly at it: {share(alarmed, lives)}"
    good, released = sum(x.good for x in usual), sum(x.good_released for x in usual)
    yield f"  students at half the line or below that were released: {share(released, good)}"
    yield from _caught([each for life in usual for each in life.served])


def _caught(served: list[Served]) -> Iterator[str]:
    broke = [each for each in served if each.broken is not None]
    alive = [each for each in broke if each.alarm is None or each.alarm > each.at]
    after = [each.alarm - each.at for each in alive if each.alarm is not None]
    yield f"  called back of those that broke (2 to 6 lines): {share(len(after), len(alive))}"
    if after:
        median, late = np.quantile(after, (0.5, 0.95))
        yield f"  after {median:.0f} audits (median), {late:.0f} (95th percentile)"


def main() -> None:
    """Count the lives."""
    print(machine())
    for line in lines(LIVES):
        print(line, flush=True)


if __name__ == "__main__":
    main()
