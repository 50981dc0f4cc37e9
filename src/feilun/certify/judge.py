"""One look: a candidate, fresh audits, and a verdict that says what is missing."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from feilun.certify.ltt import (
    Floats,
    Found,
    budget,
    enough,
    interval,
    look,
    of_served,
    plan,
)
from feilun.certify.slices import FEWEST, Planned, look_slices, names, plan_slices, tell
from feilun.ports import Prediction, Student
from feilun.records import (
    Candidate,
    Certificate,
    Dataset,
    Example,
    Json,
    Money,
    Refusal,
    Slice,
    Task,
    Verdict,
    WhyRefused,
    content_id,
)
from feilun.tasks import loss


def next_attempt(verdicts: Iterable[Verdict]) -> int:
    """The number of the next look of a task. Verdicts without a look spent nothing."""
    return 1 + sum(verdict.delta > 0 for verdict in verdicts)


def judge(
    task: Task,
    candidate: Candidate,
    dataset: Dataset,
    calibration: Sequence[Example],
    student: Student,
    *,
    attempt: int,
    audit_price: Money | None = None,
) -> Certificate | Refusal:
    """Certify a candidate on audits, or refuse and say what is missing.

    A pure function of its arguments: `feilun verify` calls it again and compares. Where
    the candidate, by its own expectation, would likely fail, no label is looked at and
    nothing is spent.
    """
    line = task.red_line.max_loss
    delta = budget(task.red_line.confidence, attempt)
    facts: dict[str, Json] = {
        "id": content_id([task.id, candidate.id, dataset.id, attempt]),
        "task": task.task,
        "at": dataset.until,
        "declaration": task.id,
        "candidate": candidate.id,
        "dataset": dataset.id,
        "attempt": attempt,
        "max_loss": line,
        "audits": len(calibration),
        "bounds": "correctness" if all(e.judge == "person" for e in calibration) else "agreement",
    }
    if (per := task.red_line.per) is not None:
        said = student.predict_many([e.input for e in calibration])
        of = names(per, calibration, said)
        cut = plan_slices(candidate.expected, of, line, delta)
        if not cut.starts:
            return _not_now(facts, _in_all(cut, len(calibration)), audit_price)
        return _judge_slices(task, calibration, said, of, cut, facts, audit_price)
    planned = plan(candidate.expected, len(calibration), line, delta)
    if not planned.worth_a_look:
        return _not_now(facts, planned.wanted, audit_price)
    said = student.predict_many([e.input for e in calibration])
    confidences, losses = _confidences(said), _losses(task, calibration, said)
    found = look(confidences, losses, line, delta, planned.first)
    facts["delta"] = delta
    if found.threshold is None:
        return _above(facts, found, line, delta, audit_price)
    told = tell(task, calibration, said, losses, found.threshold, None)
    return _certify(facts, found, found.threshold, *told)


def _judge_slices(
    task: Task,
    calibration: Sequence[Example],
    said: Sequence[Prediction],
    of: Sequence[str],
    planned: Planned,
    facts: dict[str, Json],
    price: Money | None,
) -> Certificate | Refusal:
    """Certify each slice alone. One that is not shown to hold its line has no threshold."""
    line = task.red_line.max_loss
    confidences, losses = _confidences(said), _losses(task, calibration, said)
    looks = look_slices(confidences, losses, of, line, planned)
    facts["delta"] = planned.delta
    thresholds = {name: one.threshold for name, one in looks.items() if one.threshold is not None}
    if not thresholds:
        nearest = min(looks.values(), key=lambda one: (one.loss or 0.0, -one.tested))
        return _above(facts, nearest, line, planned.level, price)
    served = confidences >= np.array([thresholds.get(name, np.inf) for name in of])
    told = tell(task, calibration, said, losses, min(thresholds.values()), thresholds)
    whole = of_served(losses[served], planned.delta)
    return _certify(facts, whole, min(thresholds.values()), *told)


def _in_all(planned: Planned, audits: int) -> int | None:
    """The audits wanted of all the traffic, so that its largest slice has enough of them."""
    wanted = planned.largest.wanted
    if wanted is None or not planned.audits:
        return wanted
    return math.ceil(max(wanted, FEWEST) * audits / planned.audits)


def _confidences(said: Sequence[Prediction]) -> Floats:
    return np.array([p.confidence for p in said])


def _losses(task: Task, calibration: Sequence[Example], said: Sequence[Prediction]) -> Floats:
    pairs = zip(said, calibration, strict=True)
    return np.array([loss(task, p.output, e.output) for p, e in pairs])


def _not_now(facts: dict[str, Json], wanted: int | None, price: Money | None) -> Refusal:
    why = WhyRefused.TOO_FEW_AUDITS if wanted else WhyRefused.TOO_WEAK
    return _refuse(facts, why, wanted, price)


def _certify(
    facts: dict[str, Json], found: Found, threshold: float, slices: tuple[Slice, ...], untold: int
) -> Certificate:
    low, high = interval(found.served, facts["audits"])
    return Certificate(
        **facts,
        threshold=threshold,
        served=found.served,
        loss=found.loss,
        loss_upper=found.upper,
        coverage=found.served / facts["audits"],
        coverage_low=low,
        coverage_high=high,
        slices=slices,
        slices_untold=untold,
    )


def _above(
    facts: dict[str, Json], found: Found, line: float, delta: float, price: Money | None
) -> Refusal:
    """Refused after a look: more audits help only if the loss seen is below the line."""
    needed = enough(line, delta, found.loss or 0.0)
    if needed is None:
        return _refuse(facts, WhyRefused.ABOVE_LINE, None, price, found)
    wanted = round(needed * facts["audits"] / found.tested)
    return _refuse(facts, WhyRefused.ABOVE_LINE, wanted, price, found)


def _refuse(
    facts: dict[str, Json],
    why: WhyRefused,
    wanted: int | None,
    price: Money | None,
    found: Found | None = None,
) -> Refusal:
    spent = facts.get("delta", 0.0)
    # After a look its audits are spent, so all that are wanted must be new ones.
    missing = None if wanted is None else max(1, wanted - (0 if spent else facts["audits"]))
    cost = None
    if missing is not None and price is not None:
        cost = Money(amount=price.amount * missing, currency=price.currency)
    return Refusal(
        **{**facts, "delta": spent},
        why=why,
        tested=found.tested if found else 0,
        loss=found.loss if found else None,
        missing_audits=missing,
        missing_cost=cost,
    )
