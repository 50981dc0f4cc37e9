"""The commands that turn the wheel, and those that look at it."""

from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from feilun.cli import plan
from feilun.cli.options import (
    DONE,
    NO,
    AsJson,
    Blobs,
    Embedder,
    Lang,
    Prices,
    Reason,
    Where,
    spoken,
    the_house,
)
from feilun.figures import period
from feilun.house import House
from feilun.records import Json
from feilun.tasks import read_task
from feilun.terminal import bar, err, in_words, out, print_json, say
from feilun.verify import read_head, write_head
from feilun.verify import verify as derive_again
from feilun.wiring import PRICES

wheel = typer.Typer()


@wheel.command(epilog="Example: `feilun demo --report demo.html`")
def demo(
    folder: Annotated[
        Path | None, typer.Option("--store", help="New folder for the store; else a new one here.")
    ] = None,
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = Path(
        "feilun-demo.html"
    ),
    prices: Prices = PRICES,
    seed: Annotated[int, typer.Option(help="Of the simulated people.")] = 1,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """Replay sixty days of sample traffic and watch the wheel turn. Under a minute."""
    from feilun import demo as replay
    from feilun.demo_report import render, to_json, write_page

    language = lang or spoken()
    store = folder or _fresh_folder()
    with bar("Replaying sixty days", quiet=as_json) as progress:
        story = replay.run(store, prices, seed, progress)
    write_page(story, report, language.value)
    if as_json:
        print_json({**to_json(story), "report": str(report)})
        return
    render(story, out, language.value)
    out.print(f"\n{report.resolve()}", style="bold", soft_wrap=True)


@wheel.command(epilog="Example: `feilun appraise log.jsonl --max-loss 0.05 --prices prices.toml`")
def appraise(
    file: Annotated[Path, typer.Argument(help="JSONL of chats, JSONL of inputs, CSV or TSV.")],
    max_loss: Annotated[float, typer.Option(help="The red line: highest mean loss.")] = 0.05,
    confidence: Annotated[float, typer.Option(help="Of the red line.")] = 0.95,
    input_column: Annotated[str | None, typer.Option(help="Column of inputs.")] = None,
    output_column: Annotated[str | None, typer.Option(help="Column of answers.")] = None,
    gold_column: Annotated[str | None, typer.Option(help="Column of right answers.")] = None,
    task_column: Annotated[str | None, typer.Option(help="Column of task names.")] = None,
    prices: Annotated[
        Path | None, typer.Option(envvar="FEILUN_PRICES", help="Prices (TOML), for the saving.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a log: which tasks are in it, and how much could a small student serve?"""
    from feilun import appraise as appraisal

    options = appraisal.Options(
        max_loss=max_loss,
        confidence=confidence,
        columns=appraisal.Choice(
            input=input_column, output=output_column, gold=gold_column, task=task_column
        ),
        prices=prices,
    )
    with bar("Reading the log", quiet=as_json) as progress:
        found = appraisal.appraise(file, options, progress=progress)
    if as_json:
        print(appraisal.to_json(found))
    else:
        appraisal.render(found, out)


@wheel.command(epilog="Example: `feilun declare category.toml --store books`")
def declare(
    file: Annotated[Path, typer.Argument(help="The task, in TOML.")],
    store: Where = ".feilun",
    blobs: Blobs = None,
    as_json: AsJson = False,
) -> None:
    """Declare a task from a TOML file."""
    task = read_task(file)
    with the_house(store, blobs, PRICES, create=True) as house:
        house.declare(task)
    say(as_json, task.model_dump(mode="json"), f"Declared {task.task} ({task.id}).")


@wheel.command(epilog="Example: `feilun status --store .feilun`")
def status(
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Show each task: who answers, how well by the audits, and at what cost."""
    with the_house(store, blobs, prices) as house:
        rows = [_status(house, name) for name in house.tasks()]
    if as_json:
        print_json({"schema": "feilun.status/1", "tasks": rows})
        return
    table = Table("task", "answers", "calls", "by student", "right, by audits", "cost / 1,000")
    for row in rows:
        table.add_row(*_cells(row))
    out.print(table)


@wheel.command(epilog="Example: `feilun turn expense.category --store .feilun`")
def turn(
    task: str,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Turn the wheel once: collect, train, certify, release. Exit code 1 if nothing moved."""
    with the_house(store, blobs, prices, embedder) as house, err.status(f"Turning {task}"):
        turned = house.turn(task)
        past = [o for o in house.planning.outcomes(task) if o.verdict.id == turned.verdict.id]
    shape = {
        "schema": "feilun.turn/1",
        "verdict": turned.verdict.kind,
        turned.verdict.kind: turned.verdict.model_dump(mode="json"),
        "candidate": turned.candidate.model_dump(mode="json"),
        "dataset": turned.dataset.model_dump(mode="json"),
        "release": turned.release.model_dump(mode="json") if turned.release else None,
        "foretold": plan.shape(past[0]) if past else None,
    }
    say(as_json, shape, in_words(turned.verdict))
    if past and not as_json:
        out.print(plan.in_words(past[0]), highlight=False, soft_wrap=True)
    if turned.verdict.kind == "certificate" and not turned.release and not as_json:
        out.print("Not released: the student at work serves more of these calls.")
    raise typer.Exit(DONE if turned.release else NO)


@wheel.command(epilog="Example: `feilun verify --store .feilun`")
def verify(
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    embedder: Embedder = None,
    head: Annotated[
        str | None,
        typer.Option(help="SEQ:HEX as an earlier run printed it: the log must still contain it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk the chain of the log and derive every verdict again. Exit code 1 if one differs.

    The chain shows a row that was changed, taken out, put in or moved. It cannot show an end
    that was cut off: note the head that is printed, away from this machine, and pass it back
    with --head.
    """
    noted = read_head(head) if head else None
    with (
        the_house(store, blobs, prices, embedder) as house,
        bar("Verifying", quiet=as_json) as progress,
    ):
        checks = list(derive_again(house, progress, noted))
        failed = [check for check in checks if check.problem]
        whole = not any(check.kind == "log" for check in failed)
        last = write_head(house.store.head()) if whole else None
    if as_json:
        print_json(
            {
                "schema": "feilun.verify/1",
                "checked": len(checks),
                "failed": [vars(check) for check in failed],
                "head": last,
            }
        )
    else:
        for check in failed:
            out.print(f"[red]differs[/] {check.kind} {check.id}: {check.problem}", soft_wrap=True)
        out.print(f"{len(checks) - len(failed)} of {len(checks)} checks agree with the log.")
        if last:
            out.print(f"The log is whole. Its head: {last}", soft_wrap=True, highlight=False)
    raise typer.Exit(NO if failed else DONE)


@wheel.command(epilog='Example: `feilun release expense.category 3f2a... --reason "holiday over"`')
def release(
    task: str,
    certificate: Annotated[str, typer.Argument(help="The certificate that entitles to it.")],
    reason: Reason,
    store: Where = ".feilun",
    blobs: Blobs = None,
    as_json: AsJson = False,
) -> None:
    """Put a certified student to work, by hand."""
    with the_house(store, blobs, PRICES) as house:
        moved = house.release(task, certificate, reason)
    say(as_json, moved.model_dump(mode="json"), f"{task} is answered by {moved.variant}.")


@wheel.command(epilog='Example: `feilun rollback expense.category --reason "odd answers"`')
def rollback(
    task: str,
    reason: Reason,
    store: Where = ".feilun",
    blobs: Blobs = None,
    as_json: AsJson = False,
) -> None:
    """Move a task back to its teacher, by hand."""
    with the_house(store, blobs, PRICES) as house:
        moved = house.rollback(task, reason)
    say(as_json, moved.model_dump(mode="json"), f"{task} is answered by its teacher again.")


def _fresh_folder() -> Path:
    """The first of feilun-demo, feilun-demo-2, ... that holds no store."""
    names = (Path("feilun-demo" if n == 1 else f"feilun-demo-{n}") for n in count(1))
    return next(name for name in names if not (name / "feilun.db").exists())


def _status(house: House, name: str) -> dict[str, Json]:
    """A task as `feilun status` shows it: its whole life in figures."""
    pointer = house.pointer(name)
    found = period(house, name, lambda _: True)
    risk = found.risk if found else None
    return {
        "task": name,
        "variant": (pointer.variant if pointer else None) or "teacher",
        "certificate": pointer.certificate if pointer else None,
        "calls": found.calls if found else 0,
        "student_share": found.student_share if found else None,
        "accuracy": {"mean": 1 - risk.mean, "low": 1 - risk.high, "high": 1 - risk.low}
        if risk
        else None,
        "cost_per_1000": found.cost if found else None,
        "currency": house.book.currency,
        "verdicts": [verdict.kind for verdict in house.verdicts(name)],
    }


def _cells(row: dict[str, Json]) -> tuple[str, ...]:
    accuracy, cost, share = row["accuracy"], row["cost_per_1000"], row["student_share"]
    return (
        row["task"],
        row["variant"],
        str(row["calls"]),
        "" if share is None else f"{share:.0%}",
        f"{accuracy['mean']:.1%} ({accuracy['low']:.1%} to {accuracy['high']:.1%})"
        if accuracy
        else "no audits",
        "unknown" if cost is None else f"{cost:.2f} {row['currency']}",
    )
