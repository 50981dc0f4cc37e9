"""Prediction against result: the last plan to train before a verdict, and what came of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feilun.records import Certificate, Plan, Refusal


@dataclass(frozen=True)
class Outcome:
    """A plan to train and the verdict after it. `held`: the coverage lay in its interval.

    None where nothing was certified, or nothing foretold: then only the chance is held
    against the verdict.
    """

    plan: Plan
    verdict: Certificate | Refusal
    held: bool | None

    @property
    def coverage(self) -> float | None:
        """What was certified to be served."""
        return self.verdict.coverage if isinstance(self.verdict, Certificate) else None


@dataclass(frozen=True)
class Calibration:
    """How good the plans of the past were: what they said, and how often it was so."""

    held: int  # intervals that held
    intervals: int
    expected: float  # certificates expected: the sum of the chances
    certified: int
    verdicts: int


def outcomes(plans: Iterable[Plan], verdicts: Sequence[Certificate | Refusal]) -> list[Outcome]:
    """Each verdict with the last plan to train since the verdict before it, where there is one."""
    trains = sorted((p for p in plans if p.do == "train"), key=lambda plan: plan.at)
    found = []
    earlier = None
    for verdict in verdicts:
        since = [p for p in trains if p.at <= verdict.at and (earlier is None or p.at > earlier.at)]
        if since:
            found.append(Outcome(since[-1], verdict, _held(since[-1], verdict)))
        earlier = verdict
    return found


def _held(plan: Plan, verdict: Certificate | Refusal) -> bool | None:
    if plan.coverage is None or not isinstance(verdict, Certificate):
        return None
    return plan.coverage.low <= verdict.coverage <= plan.coverage.high


def calibration(past: Sequence[Outcome]) -> Calibration:
    """The running calibration of plans."""
    marks = [outcome.held for outcome in past if outcome.held is not None]
    chances = [o for o in past if o.plan.certified is not None]
    return Calibration(
        held=sum(marks),
        intervals=len(marks),
        expected=sum(outcome.plan.certified or 0.0 for outcome in chances),
        certified=sum(isinstance(outcome.verdict, Certificate) for outcome in chances),
        verdicts=len(chances),
    )
