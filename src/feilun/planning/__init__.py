"""The next best turn: what to train, audit or label next, and what it should return."""

from feilun.planning.choose import chosen, ranked
from feilun.planning.curve import Curve, fit
from feilun.planning.facts import Costs, Traffic, costs, traffic
from feilun.planning.forecast import Held, Look, Next, Pairs, between, forecast
from feilun.planning.options import Option, Situation, options, weigh
from feilun.planning.past import Calibration, Outcome, calibration, outcomes

__all__ = [
    "Calibration",
    "Costs",
    "Curve",
    "Held",
    "Look",
    "Next",
    "Option",
    "Outcome",
    "Pairs",
    "Situation",
    "Traffic",
    "between",
    "calibration",
    "chosen",
    "costs",
    "fit",
    "forecast",
    "options",
    "outcomes",
    "ranked",
    "traffic",
    "weigh",
]
