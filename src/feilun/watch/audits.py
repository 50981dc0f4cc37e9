"""Random audits. The draw follows from the call's id and rate, so anyone can draw again."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from feilun.ports import Answer
from feilun.records import Audit, Call, Instant, Json, Skip, content_id
from feilun.tasks import lot


def drawn(call: Call) -> bool:
    """Whether this call is to be audited: true with probability `call.audit_rate`."""
    return lot(b"feilun.audit", call.id) < call.audit_rate


def judged(
    call: Call, output: Json, by: Literal["person", "teacher"], *, id: str, at: Instant
) -> Audit:
    """The audit of a drawn call: its right output, as `by` sees it."""
    return Audit(
        id=id, task=call.task, at=at, call=call.id, rate=call.audit_rate, output=output, by=by
    )


def judged_by_teacher(call: Call, said: Answer | None, variant: str, *, at: Instant) -> Audit:
    """The audit of a drawn call by the teacher. None: the call is its own, and nobody was asked.

    Its id follows from the call, so however often a job is cut off and begun again, a call
    has one audit by the teacher.
    """
    used: dict[str, Json] = {"tokens_in": 0, "tokens_out": 0} if said is None else {
        "tokens_in": said.tokens_in, "tokens_cached": said.tokens_cached,
        "tokens_out": said.tokens_out, "seconds": said.seconds,
    }  # fmt: skip
    return Audit(
        id=content_id([call.id, "teacher"]),
        task=call.task,
        at=at,
        call=call.id,
        rate=call.audit_rate,
        output=call.output if said is None else said.output,
        by="teacher",
        variant=variant,
        **used,
    )


def skipped(call: Call, reason: str | None, *, id: str, at: Instant) -> Skip:
    """That a person could not tell what is right of a drawn call."""
    return Skip(id=id, task=call.task, at=at, call=call.id, reason=reason)


@dataclass(frozen=True)
class Risk:
    """Mean loss of the served answers, and its 95 % interval."""

    mean: float
    low: float
    high: float
    audits: int


def risk(calls: Iterable[tuple[Call, Audit]], loss: Callable[[Json, Json], float]) -> Risk | None:
    """The risk of what was served, each audit weighing 1/rate; None without audits.

    The Hajek estimate, with Wilson's interval at the effective sample size
    (sum w)^2 / sum w^2 (Kish 1965).
    """
    return _estimate([(loss(call.output, a.output), 1 / a.rate) for call, a in calls])


def disagreement(
    audits: Iterable[tuple[Audit, Audit]], loss: Callable[[Json, Json], float]
) -> Risk | None:
    """How often a person says otherwise than the teacher, of calls that both have judged.

    The pairs are (the teacher's, the person's). Weighed as in `risk`: it is of all calls of
    which teacher audits are made, where people see a random part of these.
    """
    return _estimate([(loss(told.output, right.output), 1 / right.rate) for told, right in audits])


def _estimate(rows: Sequence[tuple[float, float]]) -> Risk | None:
    """The weighted mean of (value, weight), and its interval."""
    if not rows:
        return None
    total = sum(w for _, w in rows)
    mean = sum(w * x for x, w in rows) / total
    low, high = _wilson(mean, total**2 / sum(w * w for _, w in rows))
    return Risk(mean, low, high, len(rows))


def _wilson(mean: float, n: float) -> tuple[float, float]:
    z = NormalDist().inv_cdf(0.975)
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
