"""`feilun audits`: the calls that were drawn, who judges them, and how that stands."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from feilun.cli.judging import judge_by_lines, judge_in_turn
from feilun.cli.options import DONE, NO, AsJson, Blobs, Prices, Where, as_amount, the_house
from feilun.errors import InputError
from feilun.house import House
from feilun.house.asking import Ask, Asked, Estimate, name_of
from feilun.house.auditing import Overview
from feilun.records import Call, Json
from feilun.terminal import bar, err, out, print_json
from feilun.wiring import PRICES

audits_app = typer.Typer(
    name="audits",
    help="Judge what was drawn, have the teacher judge it, and see what audits say.",
    epilog="Example: `feilun audits --store .feilun`",
    invoke_without_command=True,
)

_SHOWN = 60  # characters of an input in a table

OneTask = Annotated[str | None, typer.Option("--task", help="One task; else all of them.")]


@audits_app.callback()
def audits(
    asked: typer.Context,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Show of each task how often it is drawn and why, who has judged, and what waits."""
    if asked.invoked_subcommand is not None:
        return
    with the_house(store, blobs, prices) as house, bar("Reading audits", quiet=as_json) as step:
        rows, names = [], house.tasks()
        for done, name in enumerate(names, start=1):
            rows.append(house.auditing.overview(name))
            step(done, len(names))
    if as_json:
        print_json({"schema": "feilun.audits/1", "tasks": [row.shape() for row in rows]})
        return
    table = Table("task", "rate", "drawn", "by people", "by teacher", "waiting", "cost", "disagree")
    for row in rows:
        table.add_row(*_cells(row))
    out.print(table)
    for row in rows:
        for line in _says(row):
            out.print(line, highlight=False, markup=False, soft_wrap=True)


@audits_app.command("list", epilog="Example: `feilun audits list --task expense.category`")
def list_audits(
    task: OneTask = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """List the calls that wait for a person, the next one first."""
    with the_house(store, blobs, prices) as house:
        if task is not None:
            house.task(task)
        found = list(islice(house.auditing.to_audit(task), limit))
    if as_json:
        print_json({"schema": "feilun.audits_due/1", "calls": [due(call) for call in found]})
        return
    table = Table("call", "task", "input", "answer")
    for call in found:
        table.add_row(call.id, call.task, _short(call.input), _short(call.output))
    out.print(table if found else "Nothing waits for a person.")


@audits_app.command(epilog="Example: `feilun audits judge --task expense.category`")
def judge(
    task: OneTask = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    blind: Annotated[
        bool,
        typer.Option("--blind", help="Ask for the right answer and do not show the given one."),
    ] = False,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Judge one call after the other: Enter says right, e edits, s skips, q ends.

    They come in a random order, so stop whenever you like. With --json the calls are printed a
    line each; a line in, {"call": ..., "output": ...} or {"call": ..., "skip": true}, judges one.
    """
    with the_house(store, blobs, prices) as house:
        if task is not None:
            house.task(task)
        found = islice(house.auditing.to_audit(task), limit)
        if as_json:
            judge_by_lines(house, [due(call, blind=blind) for call in found])
        else:
            judge_in_turn(house, found, blind=blind)


@audits_app.command(epilog='Example: `feilun audits run --limit 100 --budget "2.50 CNY"`')
def run(
    task: OneTask = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    budget: Annotated[
        str | None, typer.Option(help='Money to spend at most, as in "2.50 CNY".')
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Who judges; else whoever teaches the task.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before money is spent.")] = False,
    config: Annotated[
        Path, typer.Option("--config", envvar="FEILUN_CONFIG", help="Where the engines are.")
    ] = Path("feilun.toml"),
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Have the teacher judge what waits. Says first what it would cost; Ctrl-C loses nothing.

    What the teacher answered itself costs nothing. Such audits certify agreement with the
    teacher; a person outranks it. Exit code 1 if a call could not be judged.
    """
    from feilun.cli.teachers import teachers
    from feilun.gateway.config import read_config

    with the_house(store, blobs, prices) as house:
        most = None if budget is None else as_amount(budget, house.book.currency)
        ids = list(islice(house.asking.queue(house.task(task).task if task else None), limit))
        with teachers(read_config(config), house, model) as teacher:
            told = _estimates(house, ids, teacher)
            if not as_json:
                _tell(told, house.book.currency)
            if not _agreed(told, most, yes=yes or as_json):
                raise typer.Exit(NO)
            done = _run(house, ids, teacher, most, as_json)
    failed = [each for each in done if each.problem]
    if as_json:
        print_json(_shape(told, done, house.book.currency))
    else:
        _sum_up(done, len(ids), house.book.currency)
    raise typer.Exit(NO if failed else DONE)


def due(call: Call, *, blind: bool = False) -> dict[str, Json]:
    """A call that waits, as JSON."""
    shown = {"call": call.id, "task": call.task, "input": call.input}
    return shown if blind else {**shown, "output": call.output}


def _estimates(house: House, ids: Sequence[str], teacher: Ask) -> list[Estimate]:
    """What the calls of each task would cost."""
    groups: dict[str, list[str]] = {}
    for id in ids:
        groups.setdefault(house.store.get(Call, id).task, []).append(id)
    found = []
    for name, some in groups.items():
        own = all(house.store.get(Call, id).by == "teacher" for id in some)
        who = "" if own else name_of(teacher(house.task(name)))
        found.append(house.asking.estimate(name, who, some))
    return found


def _agreed(told: Sequence[Estimate], most: Decimal | None, *, yes: bool) -> bool:
    """Whether money may be spent. Without a terminal somebody must have said so before."""
    asked = sum(each.calls - each.free for each in told)
    if most is not None and any(each.cost is None for each in told):
        raise InputError(
            "What an audit costs is unknown, so a budget cannot be kept. Add the model's prices to "
            "the book (--prices), or bound the run with --limit."
        )
    if yes or not asked:
        return True
    if not sys.stdin.isatty():
        raise InputError("This spends money. Say --yes where nobody can be asked.")
    return typer.confirm("Ask the teacher?")


def _run(
    house: House, ids: Sequence[str], teacher: Ask, most: Decimal | None, quiet: bool
) -> list[Asked]:
    done: list[Asked] = []
    with (
        bar("Asking the teacher", quiet=quiet) as step,
        closing(house.asking.run(ids, teacher, most)) as run_,
    ):
        for each in run_:
            done.append(each)
            step(len(done), len(ids))
    return done


def _tell(told: Sequence[Estimate], currency: str) -> None:
    for each in told:
        asked = each.calls - each.free
        words = f"{each.task}: {each.calls} calls wait, {each.free} answered by the teacher itself."
        if asked:
            words += f" {asked} for {each.variant}: {_price(each, currency)}."
        out.print(words, highlight=False, markup=False, soft_wrap=True)
    if not told:
        out.print("Nothing waits for the teacher.")


def _price(told: Estimate, currency: str) -> str:
    if told.cost is None:
        return "at an unknown price (no call of it has a known cost)"
    if told.low is None or told.high is None:
        return f"about {told.cost:.4f} {currency}"
    return (
        f"about {told.cost:.4f} {currency} (95 %: {told.low:.4f} to {told.high:.4f}, "
        f"by {told.based_on} calls)"
    )


def _sum_up(done: Sequence[Asked], wanted: int, currency: str) -> None:
    judged = [each for each in done if each.audit]
    known = [each.cost for each in judged if each.cost is not None]
    cost = f"{sum(known):.4f} {currency}" if len(known) == len(judged) else "an unknown price"
    out.print(f"{len(judged)} audits, for {cost}.", highlight=False)
    for each in done:
        if each.problem:
            err.print(f"{each.call}: {each.problem}", highlight=False, markup=False, soft_wrap=True)
    if len(done) < wanted:
        out.print(f"The budget is used up: {wanted - len(done)} still wait.", highlight=False)


def _shape(told: Sequence[Estimate], done: Sequence[Asked], currency: str) -> dict[str, Json]:
    return {
        "schema": "feilun.audits_run/1",
        "currency": currency,
        "estimates": [vars(each) for each in told],
        "audits": [
            {"call": each.call, "task": each.task, "cost": each.cost, "problem": each.problem,
             "audit": each.audit and each.audit.model_dump(mode="json")}
            for each in done
        ],
    }  # fmt: skip


def _cells(row: Overview) -> tuple[str, ...]:
    found, cost = row.disagreement, row.cost
    return (
        row.task,
        "" if row.rate is None else f"{row.rate:.1%}",
        str(row.drawn),
        str(row.by_person),
        str(row.by_teacher),
        str(row.waiting),
        "unknown" if cost is None else f"{cost.amount:.2f} {cost.currency}",
        f"{found.mean:.0%} ({found.low:.0%} to {found.high:.0%})" if found else "",
    )


def _says(row: Overview) -> list[str]:
    """What a table has no room for."""
    lines = []
    if row.why is not None:
        lines.append(f"{row.task}: {_why(row)}.")
    if row.skip_share:
        lines.append(
            f"{row.task}: people could not tell {row.skipped} calls, {row.skip_share:.0%} of those "
            "they looked at. What they cannot tell is no random part."
        )
    if row.for_teacher:
        lines.append(f"{row.task}: the teacher could judge {row.for_teacher}: feilun audits run")
    return lines


def _why(row: Overview) -> str:
    why = row.why
    if why is None:
        return "drawn at its plain rate"
    reasons = [
        f"{times:.1f} times as often {what}"
        for times, what in ((why.release, "after the release"), (why.drift, "after a drift"))
        if times >= 1.05
    ]
    rare = sum(more > 1 for more in why.drawing.slices.values())
    if rare:
        reasons.append(f"{rare} rare slices more often")
    return "drawn " + (", ".join(reasons) or "at its plain rate")


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
