"""`feilun plan`: what to train, audit or label next, and how earlier plans have done."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import typer
from rich.table import Table

from feilun.cli.options import AsJson, Blobs, Embedder, Prices, Where, as_amount, the_house
from feilun.errors import NotFound
from feilun.house import House
from feilun.planning import Outcome, chosen, ranked
from feilun.records import Between, Json, Plan
from feilun.terminal import bar, err, out, print_json
from feilun.wiring import PRICES

plan_app = typer.Typer()

_HOUR = 3600


@plan_app.command(epilog='Example: `feilun plan --budget "50 CNY" --store .feilun`')
def plan(
    task: Annotated[str | None, typer.Option(help="One task; else all of them.")] = None,
    budget: Annotated[
        str | None, typer.Option(help='Money to spend, as in "50 CNY": at most one deed a task.')
    ] = None,
    device_hours: Annotated[
        float | None, typer.Option(min=0, help="Hours of training to spend.")
    ] = None,
    horizon: Annotated[
        int, typer.Option(min=1, max=3660, help="Days over which a return counts.")
    ] = 90,
    past: Annotated[
        bool, typer.Option("--past", help="Hold earlier plans against what then happened.")
    ] = False,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Rank what to train, audit or label next by its expected return. Trains, and keeps the plans.

    A plan stands on the task's learning curve, its traffic, and the prices of the book. What is
    unknown is named and never guessed: such a plan is ranked last.
    """
    with the_house(store, blobs, prices, embedder) as house:
        names = [house.task(task).task] if task else house.tasks()
        if past:
            _show_past(house, names, as_json)
            return
        money = as_amount(budget, house.book.currency) if budget else None
        plans = []
        for name in names:
            with bar(f"Learning {name}", quiet=as_json) as progress:
                plans += house.planning.plan(name, horizon, progress)
    if not plans:
        raise NotFound("This store has no task to plan for. Declare one: `feilun declare FILE`.")
    limited = money is not None or device_hours is not None
    seconds = None if device_hours is None else device_hours * _HOUR
    picked = chosen(plans, money, seconds) if limited else []
    if as_json:
        _print(plans, picked, limited)
    else:
        _render(plans, picked, limited)


def _print(plans: Sequence[Plan], picked: Sequence[Plan], limited: bool) -> None:
    ids = {each.id for each in picked}
    rows = [
        {
            **each.model_dump(mode="json"),
            "per_device_hour": _per_hour(each),
            "chosen": each.id in ids if limited else None,
        }
        for each in ranked(plans)
    ]
    print_json({"schema": "feilun.plan/1", "plans": rows})


def _render(plans: Sequence[Plan], picked: Sequence[Plan], limited: bool) -> None:
    days, currency = plans[0].horizon_days, plans[0].currency
    ids = {each.id for each in picked}
    table = Table(
        "", "task", "do", "student serves", "chance", "cost", "device",
        f"return in {days} days, {currency}", "per unit", "per device hour",
    )  # fmt: skip
    for each in ranked(plans):
        table.add_row("*" if each.id in ids else "", *_cells(each))
    out.print(table)
    if limited:
        spent = sum((each.cost.amount for each in picked if each.cost), Decimal(0))
        words = f"{len(picked)} chosen (*), for {spent:.2f} {currency}."
        out.print(words if picked else "Nothing in the budget is expected to return its cost.")
    unknown: dict[tuple[str, str], None] = {
        (each.task, what): None for each in plans for what in each.unknown
    }
    for name, what in unknown:
        out.print(f"{name}: unknown is {what}.", soft_wrap=True, highlight=False, markup=False)
    out.print("Intervals hold 80 % of what is expected. See `feilun plan --past`.")


def _cells(plan: Plan) -> tuple[str, ...]:
    hour = _per_hour(plan)
    return (
        plan.task,
        _deed(plan),
        "?" if plan.coverage is None and plan.certified != 0 else _share(plan.coverage),
        "?" if plan.certified is None else f"{plan.certified:.0%}",
        "?" if plan.cost is None else f"{plan.cost.amount:.2f}",
        "?" if plan.device_seconds is None else f"{plan.device_seconds:.0f} s",
        "?" if plan.returned is None else _amount(plan.returned),
        "" if plan.per_money is None else f"{plan.per_money:.1f}",
        "?" if hour is None else f"{hour:.0f}",
    )


def _deed(plan: Plan) -> str:
    if plan.do == "train":
        return f"turn: train on {plan.quantity}"
    wait = "?" if plan.wait_days is None else f"{plan.wait_days:.0f}"
    later = "" if plan.wait_days == 0 else f", {wait} days"
    return f"{plan.do} {plan.quantity}{later}, then turn"


def _per_hour(plan: Plan) -> float | None:
    """The expected return per hour of the device."""
    if plan.returned is None or not plan.device_seconds:
        return None
    return plan.returned.mid / plan.device_seconds * _HOUR


def _share(between: Between | None) -> str:
    return "" if between is None else f"{between.mid:.0%} ({between.low:.0%} to {between.high:.0%})"


def _amount(between: Between) -> str:
    return f"{between.mid:.2f} ({between.low:.2f} to {between.high:.2f})"


def _show_past(house: House, names: Sequence[str], as_json: bool) -> None:
    past = [outcome for name in names for outcome in house.planning.outcomes(name)]
    found, low, high = house.planning.calibration(past)
    if as_json:
        share = {"low": low, "high": high}
        body = {"schema": "feilun.plan_past/1", "past": [shape(each) for each in past]}
        print_json({**body, "calibration": {**vars(found), **share}})
        return
    if not past:
        err.print("No verdict has followed a plan yet. Plan, turn, then look here.")
        return
    table = Table("task", "foretold", "chance", "verdict", "achieved", "interval")
    for each in past:
        table.add_row(*_past_cells(each))
    out.print(table)
    out.print(
        f"{found.held} of {found.intervals} intervals held (80 % should; {low:.0%} to {high:.0%} "
        f"by these). {found.expected:.1f} certificates were expected of {found.verdicts} "
        f"verdicts, and {found.certified} came.",
        soft_wrap=True,
    )


def _past_cells(outcome: Outcome) -> tuple[str, ...]:
    chance, achieved = outcome.plan.certified, outcome.coverage
    return (
        outcome.plan.task,
        _share(outcome.plan.coverage),
        "?" if chance is None else f"{chance:.0%}",
        outcome.verdict.kind,
        "" if achieved is None else f"{achieved:.0%}",
        {True: "held", False: "missed", None: ""}[outcome.held],
    )


def shape(outcome: Outcome) -> dict[str, Json]:
    """A prediction and its result, as JSON."""
    coverage = outcome.plan.coverage
    return {
        "task": outcome.plan.task,
        "plan": outcome.plan.id,
        "verdict": outcome.verdict.id,
        "foretold": coverage.model_dump() if coverage else None,
        "chance": outcome.plan.certified,
        "certified": outcome.verdict.kind == "certificate",
        "achieved": outcome.coverage,
        "held": outcome.held,
    }


def in_words(outcome: Outcome) -> str:
    """A prediction and its result, in a sentence."""
    plan = outcome.plan
    chance = "unknown" if plan.certified is None else f"{plan.certified:.0%}"
    if plan.coverage is None:
        return f"The plan before it gave a certificate a chance of {chance}."
    held = {True: " The interval held.", False: " The interval missed.", None: ""}[outcome.held]
    return (
        f"The plan before it: {_share(plan.coverage)} served, chance of a certificate "
        f"{chance}.{held}"
    )
