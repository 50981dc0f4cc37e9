"""Random audits. The draw follows from the call's id and rate, so anyone can draw again."""

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from feilun.records import Audit, Call, Instant, Json


def drawn(call: Call) -> bool:
    """Whether this call is to be audited: true with probability `call.audit_rate`."""
    raw = hashlib.blake2b(call.id.encode(), digest_size=8, person=b"feilun.audit").digest()
    return int.from_bytes(raw, "big") / math.ldexp(1, 64) < call.audit_rate


def judged(
    call: Call, output: Json, by: Literal["person", "teacher"], *, id: str, at: Instant
) -> Audit:
    """The audit of a drawn call: its right output, as `by` sees it."""
    return Audit(
        id=id, task=call.task, at=at, call=call.id, rate=call.audit_rate, output=output, by=by
    )


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
    rows = [(loss(call.output, audit.output), 1 / audit.rate) for call, audit in calls]
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
