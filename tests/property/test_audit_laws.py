"""Laws of audits whose rate follows need: estimates stay unbiased, evidence stays valid.

Simulated: one answer in twenty-five is of a rare shelf, on which the student errs always, and
elsewhere in 0.5 %. The rate follows the release, a drift and the rare shelf.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from statistics import fmean, stdev

from kiosk_log import NOON, at

from feilun import datasets
from feilun.records import Audit, Call, Drift, Json, RedLine, Release
from feilun.tasks import common_rate, loss, rate_of
from feilun.testing.kiosk import GOODS, KIOSK
from feilun.watch import EProcess, Guard, Need, drawn, judged, rate, risk

CALLS, LIVES, BASE, LINE = 1200, 50, 0.15, 0.05
RARE, ERRS = "papers", {"papers": 1.0}
SHELVES = [RARE, *["drinks", "fruit", "bakery"] * 8]
TRUTH = 1 / 25 + 0.005 * 24 / 25
TASK = KIOSK.model_copy(update={"red_line": RedLine(max_loss=LINE)})
MOVED = Release(
    id="move-1", task=KIOSK.task, at=NOON, variant="s", threshold=0.5, certificate="proof-1",
    previous=None, reason="certified", by="certificate",
)  # fmt: skip


@dataclass(frozen=True)
class Life:
    calls: list[Call]
    audits: list[tuple[Call, Audit]]


def wrong(output: Json, right: Json) -> float:
    return loss(TASK, output, right)


def live(seed: int) -> Life:
    chance = random.Random(seed)  # noqa: S311 - simulated traffic
    need, life = Need(TASK, MOVED), Life([], [])
    drawing = rate(need).drawing
    for n in range(CALLS):
        if n % 20 == 0:
            drawing = rate(need).drawing
        label = chance.choice(SHELVES)
        common = common_rate(BASE, drawing)
        own = rate_of(common, drawing, "tea", label, None)
        call = Call(
            id=f"{seed}-{n:05}", task=TASK.task, at=at(n), input=f"{seed} {n}", output=label,
            variant="s", by="student", release=MOVED.id, confidence=0.9, audit_rate=own,
            common_rate=common if own > common else None,
        )  # fmt: skip
        need.call(call)
        life.calls.append(call)
        if n == CALLS // 2:
            need.drift(drift(call))
        errs = chance.random() < ERRS.get(label, 0.005)
        if drawn(call):
            right = next(other for other in GOODS if other != label) if errs else label
            audit = judged(call, right, "person", id=f"{call.id}-a", at=at(n))
            life.audits.append((call, audit))
    return life


def drift(call: Call) -> Drift:
    return Drift(
        id="drift-1", task=TASK.task, at=call.at, release=MOVED.id, what="input", evidence=101.0,
        limit=100.0, seen=1, last=call.id,
    )  # fmt: skip


@cache
def lives() -> list[Life]:
    return [live(seed) for seed in range(LIVES)]


def off_by(estimates: list[float]) -> float:
    """How many standard errors the mean of estimates is away from the truth."""
    return (fmean(estimates) - TRUTH) / (stdev(estimates) / math.sqrt(len(estimates)))


def test_the_rare_shelf_is_drawn_more_often_and_the_young_release_too() -> None:
    rates = [call.audit_rate for life in lives() for call in life.calls]
    assert min(rates) >= BASE
    assert max(rates) > 0.5
    assert any(call.common_rate for life in lives() for call in life.calls)


def test_the_estimate_of_the_risk_is_unbiased_and_its_interval_holds() -> None:
    found = [risk(life.audits, wrong) for life in lives()]
    told = [each for each in found if each is not None]
    assert len(told) == LIVES
    assert abs(off_by([each.mean for each in told])) < 3.5
    assert sum(each.low <= TRUTH <= each.high for each in told) >= 0.85 * LIVES


def test_without_the_weights_it_would_be_far_off() -> None:
    plain = [fmean(wrong(c.output, a.output) for c, a in life.audits) for life in lives()]
    assert off_by(plain) > 8


def evidence(life: Life) -> Iterator[bool]:
    guard = Guard(TASK, MOVED, 1, lambda _: None)
    return (guard.audit(call, audit) is not None for call, audit in life.audits)


def test_a_student_at_its_line_is_left_in_peace_though_its_worst_shelf_is_looked_at_most() -> None:
    assert sum(any(evidence(life)) for life in lives()) <= 0.1 * LIVES


def test_evidence_without_the_weights_would_call_it_back() -> None:
    rows = [row for life in lives()[:10] for row in life.audits]
    weighed, plain = EProcess(LINE, 0.03), EProcess(LINE, 0.03)
    for call, audit in rows:
        lost = wrong(call.output, audit.output)
        weighed.step(lost, (call.common_rate or call.audit_rate) / audit.rate)
        plain.step(lost)
    assert plain.reached
    assert not weighed.reached


def test_what_calibrates_is_a_plain_sample_of_the_traffic() -> None:
    losses, shares = [], []
    for life in lives():
        audits = [audit for _, audit in life.audits]
        end = NOON + timedelta(minutes=CALLS)
        built = datasets.build(TASK, life.calls, [], audits, cut=NOON, until=end)
        said = {call.id: call.output for call in life.calls}
        losses += [wrong(said[e.call], e.output) for e in built.calibration]
        shares += [said[e.call] == RARE for e in built.calibration]
    size = len(losses)
    assert size > 1000
    assert abs(fmean(losses) - TRUTH) < 3.5 * math.sqrt(TRUTH * (1 - TRUTH) / size)
    assert abs(fmean(shares) - 1 / 25) < 3.5 * math.sqrt(0.04 * 0.96 / size)
