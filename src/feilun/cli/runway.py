"""`feilun runway`: how long the money lasts, and where the next of it should go."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feilun.cli.options import AsJson, Blobs, Lang, Prices, spoken, the_house
from feilun.errors import InputError
from feilun.terminal import err, out, print_json
from feilun.wiring import PRICES

if TYPE_CHECKING:
    from feilun.capital.company import Company
    from feilun.capital.measured import Unit

runway_app = typer.Typer()


@runway_app.command(epilog="Example: `feilun runway runway.toml --report runway.html`")
def runway(
    file: Annotated[
        Path | None, typer.Argument(help="Cash, income, spending, bets and a budget (TOML).")
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print a whole file to start from.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 2, help="Of chance: the same gives the same figures.")
    ] = 0,
    report: Annotated[
        Path | None, typer.Option(help="Where an HTML page with charts goes.")
    ] = None,
    lang: Lang = None,
    store: Annotated[
        str | None,
        typer.Option(help="Measure what tasks earn in this store: a folder or postgresql:// URL."),
    ] = None,
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Draw the futures of a plan: months of runway, what moves them, bets and a budget.

    The file declares what is assumed, and `why`. Tasks that it names are measured in the
    ledger of --store: margin by call and calls by day of the four
    weeks before the day of the cash.
    """
    from feilun.capital import EXAMPLE, outlook, read, render, to_json, write_page

    if example:
        print(EXAMPLE.read_text(encoding="utf-8"), end="")
        return
    if file is None:
        raise InputError(
            "Name a file. `feilun runway --example > runway.toml` writes one to start from."
        )
    company = read(file)
    language = (lang or spoken()).value
    with err.status("Drawing futures"):
        units = _measured(company, store, blobs, prices) if store else {}
        found = outlook(company, units, seed)
        if report is not None:
            write_page(found, report, language)
    if as_json:
        print_json({**to_json(found), "report": report and str(report)})
        return
    out.print(render(found, language))
    if report is not None:
        out.print(f"\n{report.resolve()}", style="bold", soft_wrap=True)


def _measured(
    company: "Company", store: str, blobs: Path | None, prices: Path
) -> "dict[str, Unit]":
    from feilun.capital import measure

    tasks = [income.task for income in company.income if income.task]
    with the_house(store, blobs, prices) as house:
        until = min(company.cash.on, house.clock.now().date())  # the same file, the same weeks
        return measure(house, tasks, company.currency, until)
