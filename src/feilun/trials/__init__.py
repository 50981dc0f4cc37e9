"""Trials: a candidate beside the incumbent, and what audits say of the difference."""

from feilun.trials.evidence import Evidence, Shown, shown, weigh
from feilun.trials.start import canary, ended, running, shadow
from feilun.trials.tally import Comparison, Tally

__all__ = [
    "Comparison",
    "Evidence",
    "Shown",
    "Tally",
    "canary",
    "ended",
    "running",
    "shadow",
    "shown",
    "weigh",
]
