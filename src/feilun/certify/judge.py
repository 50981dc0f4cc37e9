"""One look: a candidate, fresh audits, and a verdict that says what is missing."""

from collections.abc import Iterable, Sequence

import numpy as np

from feilun.certify.ltt import Found, Plan, budget, enough, interval, look, plan
from feilun.ports import Student
from feilun.records import (
    Candidate,
    Certificate,
    Dataset,
    Example,
    Json,
    Money,
    Refusal,
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
    planned = plan(candidate.expected, len(calibration), line, delta)
    if not planned.worth_a_look:
        return _not_now(facts, planned, audit_price)
    predictions = student.predict_many([e.input for e in calibration])
    confidences = np.array([p.confidence for p in predictions])
    losses = np.array(
        [loss(task, p.output, e.output) for p, e in zip(predictions, calibration, strict=True)]
    )
    found = look(confidences, losses, line, delta, planned.first)
    facts["delta"] = delta
    if found.threshold is None:
        return _above(facts, found, line, delta, audit_price)
    return _certify(facts, found)


def _not_now(facts: dict[str, Json], planned: Plan, price: Money | None) -> Refusal:
    why = WhyRefused.TOO_FEW_AUDITS if planned.wanted else WhyRefused.TOO_WEAK
    return _refuse(facts, why, planned.wanted, price)


def _certify(facts: dict[str, Json], found: Found) -> Certificate:
    low, high = interval(found.served, facts["audits"])
    return Certificate(
        **facts,
        threshold=found.threshold,
        served=found.served,
        loss=found.loss,
        loss_upper=found.upper,
        coverage=found.served / facts["audits"],
        coverage_low=low,
        coverage_high=high,
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
