"""The outlook as JSON, schema `feilun.runway/1`: what `feilun runway --json` prints.

Fields are added, never renamed or removed, within a schema number. Money is in `currency`,
times are in months from `on`, shares are fractions; null months lie beyond the horizon. A
rule whose `least` is null never goes on, and one with 0 always does. Intervals of runway
and probabilities are those of Monte Carlo alone, at 95 %.
"""

import math
from dataclasses import asdict

from feilun.capital.allocate import Split
from feilun.capital.bets import Worth
from feilun.capital.measured import Unit
from feilun.capital.outlook import Outlook
from feilun.capital.runway import QUANTILES, Runway
from feilun.records import Json

SCHEMA = "feilun.runway/1"
_DIGITS = 6  # another processor may differ in the last bits


def to_json(found: Outlook) -> dict[str, Json]:
    """The outlook as plain JSON values."""
    company = found.company
    whole = {
        "schema": SCHEMA,
        "currency": company.currency,
        "on": str(company.cash.on),
        "cash": company.cash.amount,
        "seed": found.seed,
        "draws": found.planned.draws,
        "horizon": company.horizon,
        "planned": _runway(found.planned),
        "after": found.after and _runway(found.after),
        "drivers": [{**asdict(each), "swing": each.swing} for each in found.drivers],
        "tasks": [_unit(each) for each in found.units],
        "bets": [_worth(each) for each in found.bets],
        "promise": company.allocation
        and {"months": company.allocation.months, "probability": company.allocation.probability},
        "allocation": found.split and _split(found.split),
        "budget_grown": found.grown and _split(found.grown),
        "assumptions": [asdict(each) for each in found.assumptions],
    }
    rounded: dict[str, Json] = _rounded(whole)
    return rounded


def _runway(found: Runway) -> dict[str, Json]:
    return {
        "quantiles": [asdict(each) for each in found.quantiles],
        "lasts": [asdict(each) for each in found.lasts],
        "fan": {
            f"p{share * 100:g}": [*row] for share, row in zip(QUANTILES, found.fan, strict=True)
        },
    }


def _unit(unit: Unit) -> dict[str, Json]:
    cost = unit.cost_per_accepted
    return {
        "task": unit.task,
        "measured": unit.first is not None,
        "first": unit.first and str(unit.first),
        "last": unit.last and str(unit.last),
        "margin_per_call": unit.margin,
        "margin_error": unit.margin_error,
        "calls_per_day": unit.calls_per_day,
        "calls_error": unit.calls_error,
        "cost_per_accepted": cost
        and {"mid": str(cost.mid), "low": str(cost.low), "high": str(cost.high)},
        "payback_on": unit.payback_on and str(unit.payback_on),
    }


def _worth(bet: Worth) -> dict[str, Json]:
    return {
        "name": bet.name,
        "value": asdict(bet.value),
        "without_stopping": asdict(bet.blind),
        "right_to_stop": bet.option,
        "rules": [asdict(each) for each in bet.rules],
        "scale_from": bet.scale_from,
    }


def _split(split: Split) -> dict[str, Json]:
    return {
        "budget": split.budget,
        "spent": split.spent,
        "net": split.net,
        "held": split.held,
        "probability": split.probability,
        "probability_where_chosen": split.chosen_at,
        "buckets": [asdict(each) for each in split.shares],
        "bets": list(split.bets),
    }


def _rounded(value: Json) -> Json:
    match value:
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
        case float():
            return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
        case _:
            return value
