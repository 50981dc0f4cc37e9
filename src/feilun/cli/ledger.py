"""`feilun ledger`: what tasks, models and keys cost and brought in, and what providers bill."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.markup import escape
from rich.table import Table

from feilun.cli.options import NO, AsJson, Blobs, Prices, Where, the_house
from feilun.errors import InputError
from feilun.house import House
from feilun.house.accounts import By, Form
from feilun.ledger import PROVIDERS, Account, Economics, Estimate, Payback, Reconciled, Why
from feilun.records import Bill, Json, Posting
from feilun.terminal import err, out, print_json, say
from feilun.wiring import PRICES

ledger_app = typer.Typer(
    name="ledger",
    help="Read the journal, close days, and hold it against providers' bills.",
    invoke_without_command=True,
    epilog="Example: `feilun ledger --by team --since 2026-11-01`",
)

_SAYS = {
    Why.FAILED: "calls that did not end whole",
    Why.CACHED: "cached tokens",
    Why.NOT_BILLED: "in the log, not billed",
    Why.NOT_IN_LOG: "billed, not in the log",
    Why.UNPRICED: "no price in the book",
    Why.PRICE: "another price",
    Why.ROUNDING: "rounding of lines",
    Why.OTHER: "not posted by the ledger",
    Why.UNEXPLAINED: "unexplained",
}

Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day of UTC, as 2026-11-01.")
]


@ledger_app.callback()
def overview(
    context: typer.Context,
    by: Annotated[By, typer.Option(help="What money is told apart by.")] = By.TASK,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day, by UTC.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day, by UTC.")
    ] = None,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Read the journal, close days, and hold it against providers' bills.

    Without a command: what came in and went out by task, model, key, team or app, the margin,
    what an accepted result costs, and every balance. What has no price is named, and what
    depends on it is unknown.
    """
    if context.invoked_subcommand is not None:
        return
    with the_house(store, blobs, prices) as house, err.status("Reading the journal"):
        found = house.accounts.statement(by, _day(since), _day(until))
        told = {row.name: _told(house, row) for row in found if row.name in house.tasks()}
        balances = house.accounts.balances()
        currency = house.book.currency
    if as_json:
        shapes = [_shape(row) for row in found]
        print_json(
            {
                "schema": "feilun.ledger/1",
                "by": by,
                "currency": currency,
                "accounts": shapes,
                "tasks": told,
                "balances": {name: vars(each) for name, each in balances.items()},
            }
        )
        return
    _print_accounts(found, by, currency)
    _print_tasks(told)
    table = Table("account", f"balance / {currency}", "unknown amounts")
    for name, each in balances.items():
        table.add_row(escape(name), _money(each.amount), str(each.unknown or ""))
    out.print(table)


@ledger_app.command(epilog="Example: `feilun ledger close --day 2026-11-01`")
def close(
    day: Day = None,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Post what students avoided and what devices cost idle, of one day or of all that ended.

    Again, it posts only what has changed since.
    """
    with the_house(store, blobs, prices) as house, err.status("Closing"):
        found = house.accounts.close(_day(day))
    shape = {"schema": "feilun.closing/1", "postings": [_posting(row) for row in found]}
    say(as_json, shape, f"{len(found)} new postings." if found else "Nothing new to post.")


@ledger_app.command(
    "import-bill", epilog="Example: `feilun ledger import-bill november.csv --provider openai`"
)
def import_bill(
    file: Annotated[Path, typer.Argument(help="CSV, or JSON as a cost API answers.")],
    provider: Annotated[str, typer.Option(help=f"One of {', '.join(PROVIDERS)}.")] = "generic",
    map: Annotated[
        list[str] | None,
        typer.Option(help="THEIRS=OURS: a model that the log calls otherwise; may be repeated."),
    ] = None,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Keep a provider's bill. The same file again is no news."""
    with the_house(store, blobs, prices) as house:
        bill = house.accounts.take_bill(file, provider, dict(_pair(each) for each in map or ()))
    words = (
        f"Bill {bill.id[:12]}: {bill.provider}, {bill.first} to {bill.last}, {len(bill.lines)} "
        f"lines, {bill.total:f} {bill.currency}. Next: `feilun ledger reconcile {bill.id[:12]}`."
    )
    say(as_json, {"schema": "feilun.bill/1", **_bill(bill)}, words)


@ledger_app.command(epilog="Example: `feilun ledger bills`")
def bills(
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Show the bills that were imported."""
    with the_house(store, blobs, prices) as house:
        found = house.accounts.bills()
    if as_json:
        print_json({"schema": "feilun.bills/1", "bills": [_bill(bill) for bill in found]})
        return
    table = Table("bill", "provider", "first day", "last day", "total")
    for bill in found:
        total = f"{bill.total:f} {bill.currency}"
        table.add_row(bill.id[:12], escape(bill.provider), str(bill.first), str(bill.last), total)
    out.print(table)


@ledger_app.command(epilog="Example: `feilun ledger reconcile 7fcda7318104`")
def reconcile(
    bill: Annotated[str, typer.Argument(help="The bill's id, or how it begins.")],
    post: Annotated[
        bool, typer.Option("--post", help="Post the differences, so the journal says what is owed.")
    ] = False,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Explain, step by step, why a bill is not what the journal says.

    The steps sum to the difference exactly. Exit code 1 if some of it stays unexplained.
    """
    with the_house(store, blobs, prices) as house, err.status("Reconciling"):
        found = house.accounts.reconcile(house.accounts.bill(bill))
        posted = house.accounts.correct(found) if post else []
    if as_json:
        print_json(_reconciled(found, posted))
    else:
        _print_reconciled(found, posted)
    raise typer.Exit(NO if found.total(Why.UNEXPLAINED) else 0)


@ledger_app.command(epilog="Example: `feilun ledger export --form focus --to november.csv`")
def export(
    form: Annotated[Form, typer.Option(help="What to write.")] = Form.CSV,
    to: Annotated[Path | None, typer.Option(help="A new file; else standard output.")] = None,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Write the journal as CSV, for beancount, or in the columns of FinOps FOCUS 1.2.

    --json says where it is, and how many postings have no known amount; it needs --to.
    """
    if as_json and to is None:
        raise InputError("Standard output holds the journal or the JSON: name a file with --to.")
    with the_house(store, blobs, prices) as house, _file(to) as file:
        unknown = house.accounts.export(form, file)
    if as_json:
        print_json({"schema": "feilun.export/1", "form": form, "to": str(to), "unknown": unknown})
    elif unknown:
        what = "left out" if form is Form.FOCUS else "without an amount"
        err.print(f"{unknown} postings have no known price: {what}. `feilun ledger` names them.")


# Input


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _pair(text: str) -> tuple[str, str]:
    theirs, equals, ours = text.partition("=")
    if not (theirs and equals and ours):
        raise InputError(f"{text!r} maps nothing: write THEIRS=OURS, the bill's name first.")
    return theirs, ours


@contextmanager
def _file(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        file = path.open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{path}: cannot be made ({error.strerror}). Name a new file.") from error
    with file:
        yield file


# Output


def _told(house: House, row: Account) -> dict[str, Json]:
    """The unit economics and the payback of a task."""
    economics = house.accounts.economics(row, house.auditing.risk(row.name))
    return {**_figures(economics), "payback": _payback(house.accounts.payback(row.name))}


def _figures(found: Economics) -> dict[str, Json]:
    accepted, cost = found.accepted, found.cost_per_accepted
    return {**vars(found), "accepted": _estimate(accepted), "cost_per_accepted": _estimate(cost)}


def _estimate(found: Estimate | None) -> dict[str, str] | None:
    if found is None:
        return None
    return {name: f"{round(value, 6):f}" for name, value in vars(found).items()}


def _payback(found: Payback) -> dict[str, Json]:
    names = ("reached", "calls", "calls_low", "calls_high", "on", "on_low", "on_high", "unknown")
    return {name: getattr(found, name) for name in names}


def _shape(row: Account) -> dict[str, Json]:
    return {
        "name": row.name,
        "calls": row.calls,
        "served": row.served,
        "income": row.income,
        "spent": dict(row.spent),
        "margin": row.margin,
        "avoided": row.avoided,
        "unknown": dict(row.unknown),
    }


def _print_accounts(found: list[Account], by: By, currency: str) -> None:
    table = Table(by.value, "calls", "income", "cost", "margin", "avoided, est.", title=currency)
    for row in found:
        margin = "unknown" if row.margin is None else _money(row.margin)
        cost = f"{_money(row.cost)} + unknown" if row.unknown else _money(row.cost)
        table.add_row(
            escape(row.name), f"{row.calls:,}", _money(row.income), cost, margin,
            _money(row.avoided),
        )  # fmt: skip
    out.print(table)
    unknown = sorted({item for row in found for item in row.unknown})
    if unknown:
        out.print(f"No price is known of: {', '.join(unknown)}.", markup=False, soft_wrap=True)


def _print_tasks(told: dict[str, dict[str, Json]]) -> None:
    if not told:
        return
    table = Table(
        "task", "accepted, by audits", "cost of one", "said by people", "breaks even after",
        "pays back on",
    )  # fmt: skip
    for name, each in told.items():
        people = f"{each['said_accepted']} yes, {each['said_rejected']} no"
        paid = each["payback"]
        dates = _range(paid["on"], paid["on_low"], paid["on_high"]) if paid["on"] else "unknown"
        table.add_row(
            escape(name), _between(each["accepted"]), _between(each["cost_per_accepted"]), people,
            "unknown" if each["break_even"] is None else f"{each['break_even']:,} served", dates,
        )  # fmt: skip
    out.print(table)


def _between(found: dict[str, str] | None) -> str:
    if found is None:
        return "unknown"
    return _range(*(f"{Decimal(found[side]):.4g}" for side in ("mid", "low", "high")))


def _range(mid: Json, low: Json, high: Json) -> str:
    return f"{mid} ({low or 'unknown'} to {high or 'never'})"


def _money(amount: Decimal) -> str:
    return f"{amount:,.4f}"


def _exact(amount: Decimal) -> str:
    """Every digit: steps are to sum."""
    return f"{amount.normalize():f}" if amount else "0"


def _posting(row: Posting) -> dict[str, Json]:
    return row.model_dump(mode="json", exclude={"version"})


def _bill(bill: Bill) -> dict[str, Json]:
    shown = bill.model_dump(mode="json", exclude={"version", "task", "lines"})
    return {**shown, "lines": len(bill.lines)}


def _reconciled(found: Reconciled, posted: list[Posting]) -> dict[str, Json]:
    return {
        "schema": "feilun.reconciled/1",
        "bill": _bill(found.bill),
        "currency": found.currency,
        "ours": _exact(found.ours),
        "theirs": _exact(found.theirs),
        "totals": {why.value: _exact(found.total(why)) for why in Why},
        "steps": [{**vars(step), "amount": _exact(step.amount)} for step in found.steps],
        "renamed": found.renamed,
        "posted": [_posting(row) for row in posted],
    }


def _print_reconciled(found: Reconciled, posted: list[Posting]) -> None:
    table = Table("why", "model", "day", f"amount / {found.currency}", "what")
    table.add_row("the journal says", "", "", _exact(found.ours), "", style="bold")
    for theirs, ours in found.renamed.items():
        table.add_row("renamed", escape(ours), "", "0", escape(f"the bill calls it {theirs}"))
    for step in found.steps:
        if step.why is not Why.UNEXPLAINED:
            day = str(step.day or "")
            table.add_row(
                _SAYS[step.why], escape(step.model), day, _exact(step.amount), escape(step.note)
            )
    table.add_row("unexplained", "", "", _exact(found.total(Why.UNEXPLAINED)), "")
    table.add_row("the bill says", "", "", _exact(found.theirs), "", style="bold")
    out.print(table)
    if posted:
        out.print(f"{len(posted)} corrections posted. Nothing that was posted before is changed.")
