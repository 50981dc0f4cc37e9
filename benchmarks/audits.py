"""Audits that follow need against a constant rate that draws as many.

    PYTHONPATH=src python benchmarks/audits.py

A student serves 20,000 calls at a line of 5 %, drawn at a base rate of 2 %; one answer in
twenty-five is of a rare label. The constant rate is the one that draws as many calls of a
healthy life as the policy. What is counted, over 200 lives each: calls until the alarm, and
the audits of the rare label. Written before the figures were seen, and tuned on nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean, quantiles

import numpy as np

from feilun.records import Call, Drift, RedLine, Release
from feilun.tasks import Drawing, common_rate, declare, rate_of
from feilun.watch import EProcess, Need, alpha_of, rate

CALLS, LIVES, BASE, LINE = 20_000, 200, 0.02, 0.05
RARE = 0.04
DRIFTS_AT, NOTICED_AFTER = 10_000, 300  # calls; the early warning takes some
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TASK = declare(
    "bench", "Choose.", {"type": "string"}, {"enum": ["usual", "rare"]}, RedLine(max_loss=LINE)
)
MOVED = Release(
    id="move", task=TASK.task, at=NOON, variant="s", threshold=0.5, certificate="proof",
    by="certificate", reason="certified",
)  # fmt: skip
DRIFT = Drift(
    id="drift", task=TASK.task, at=NOON, release=MOVED.id, what="input", evidence=100.0,
    limit=100.0, seen=1, last="x",
)  # fmt: skip
CALL = {
    label: Call(
        id=label, task=TASK.task, at=NOON, input="tea", output=label, variant="s", by="student",
        release=MOVED.id, confidence=0.9, audit_rate=1.0,
    )
    for label in ("usual", "rare")
}  # fmt: skip


@dataclass(frozen=True)
class Student:
    """Its loss on the usual and the rare label, before and after the traffic changes."""

    name: str
    before: tuple[float, float]
    after: tuple[float, float]
    noticed: bool = False

    def loss(self, n: int, rare: bool) -> float:
        """Its expected loss on call `n`."""
        return (self.after if n >= DRIFTS_AT else self.before)[rare]


STUDENTS = (
    Student("healthy, 3 %", (0.03, 0.03), (0.03, 0.03)),
    Student("wrongly certified, 10 %", (0.10, 0.10), (0.10, 0.10)),
    Student("wrongly certified, 20 %", (0.20, 0.20), (0.20, 0.20)),
    Student("10 % from call 10,000, noticed", (0.03, 0.03), (0.10, 0.10), noticed=True),
    Student("10 % from call 10,000, unnoticed", (0.03, 0.03), (0.10, 0.10)),
)


@dataclass(frozen=True)
class Life:
    """What came of a life: the call of the alarm, audits in all and of the rare label."""

    alarm: int | None
    audits: int
    rare: int


def live(student: Student, seed: int, constant: float | None) -> Life:
    """One life, at a constant rate or by need."""
    chance = np.random.default_rng(seed)
    lots, labels, errs = chance.random((3, CALLS))
    need, process = Need(TASK, MOVED), EProcess(LINE, alpha_of(TASK.red_line, 1))
    drawing: Drawing | None = None if constant else rate(need).drawing
    alarm, audits, rares = None, 0, 0
    for n in range(CALLS):
        if student.noticed and n == DRIFTS_AT + NOTICED_AFTER:
            need.drift(DRIFT)
        if not constant and n % 50 == 0:
            drawing = rate(need).drawing
        rare = bool(labels[n] < RARE)
        label = "rare" if rare else "usual"
        common = constant or common_rate(BASE, drawing)
        own = rate_of(common, drawing, "tea", label, None)
        if lots[n] >= own:
            continue
        need.call(CALL[label])
        audits, rares = audits + 1, rares + rare
        if process.step(float(errs[n] < student.loss(n, rare)), common / own) and alarm is None:
            alarm = n
    return Life(alarm, audits, rares)


def main() -> None:
    """Print the table."""
    healthy = [live(STUDENTS[0], seed, None) for seed in range(LIVES)]
    constant = fmean(life.audits for life in healthy) / CALLS
    print(f"constant rate {constant:.2%}, by need {BASE:.0%} and more, {LIVES} lives each")
    for student in STUDENTS:
        since = DRIFTS_AT if student.after != student.before else 0
        for name, fixed in (("constant", constant), ("by need", None)):
            lives = [live(student, 1000 + seed, fixed) for seed in range(LIVES)]
            calls = [life.alarm - since for life in lives if life.alarm and life.alarm >= since]
            middle = quantiles(calls, n=20) if len(calls) > LIVES / 2 else None
            print(
                f"{student.name:34} {name:9} alarms {len(calls) / LIVES:6.1%}",
                f"median {middle[9]:6.0f} p95 {middle[18]:6.0f} calls" if middle else "-",
                f"audits {fmean(life.audits for life in lives):5.0f}",
                f"rare {fmean(life.rare for life in lives):4.0f}",
            )


if __name__ == "__main__":
    main()
