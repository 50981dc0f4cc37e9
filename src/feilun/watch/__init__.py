"""Audits say what was right; evidence says when a released student is over its line."""

from feilun.watch.audits import (
    Risk,
    disagreement,
    drawn,
    judged,
    judged_by_teacher,
    risk,
    skipped,
)
from feilun.watch.drift import Drifting
from feilun.watch.eprocess import EProcess
from feilun.watch.limits import CostOf, Found, Guard, alpha_of
from feilun.watch.novelty import Novelty
from feilun.watch.queue import SHOWN, Drawn, in_turn, place
from feilun.watch.rate import Need, Rate, allowed_rate, rate

__all__ = [
    "SHOWN",
    "CostOf",
    "Drawn",
    "Drifting",
    "EProcess",
    "Found",
    "Guard",
    "Need",
    "Novelty",
    "Rate",
    "Risk",
    "allowed_rate",
    "alpha_of",
    "disagreement",
    "drawn",
    "in_turn",
    "judged",
    "judged_by_teacher",
    "place",
    "rate",
    "risk",
    "skipped",
]
