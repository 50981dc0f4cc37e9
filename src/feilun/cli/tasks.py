"""`feilun tasks`: what raw traffic shows, and what is made of it."""

from typing import Annotated

import typer
from rich.table import Table

from feilun.cli.options import DONE, NO, AsJson, Blobs, Prices, Where, the_house
from feilun.discovery import SAYS, Proposal
from feilun.house import House
from feilun.records import Adoption, Json, Task
from feilun.terminal import bar, out, print_json, say
from feilun.wiring import PRICES

tasks_app = typer.Typer(
    name="tasks",
    help="Find tasks in raw traffic, and adopt them.",
    no_args_is_help=True,
)

_ID = 12  # characters of an id that are shown: enough to name a proposal by
_LABELS = 20  # that are shown

Name = Annotated[str, typer.Argument(help="The name of the task.")]


@tasks_app.command(epilog="Example: `feilun tasks discover --store .feilun`")
def discover(
    store: Where = ".feilun", blobs: Blobs = None, prices: Prices = PRICES, as_json: AsJson = False
) -> None:
    """Group the last 20,000 raw calls into proposed tasks. Exit code 1 if none can be adopted."""
    with (
        the_house(store, blobs, prices) as house,
        bar("Looking through raw calls", quiet=as_json) as progress,
    ):
        found = house.discovery.proposals(progress)
    if as_json:
        print_json({"schema": "feilun.proposals/1", "proposals": [_shape(each) for each in found]})
    else:
        _print_proposals(found)
    raise typer.Exit(DONE if any(each.adoptable for each in found) else NO)


@tasks_app.command("list", epilog="Example: `feilun tasks list --json`")
def list_tasks(
    store: Where = ".feilun", blobs: Blobs = None, prices: Prices = PRICES, as_json: AsJson = False
) -> None:
    """Show every task, and which of them were adopted from raw traffic."""
    with the_house(store, blobs, prices) as house:
        adopted = {each.task: each for each in house.discovery.adoptions()}
        rows = [(house.task(name), adopted.get(name)) for name in house.tasks()]
    if as_json:
        shapes = [_task_shape(task, held) for task, held in rows]
        print_json({"schema": "feilun.tasks/1", "tasks": shapes})
        return
    table = Table("task", "red line", "answers", "adopted")
    for task, held in rows:
        line = f"{task.red_line.max_loss:.1%} at {task.red_line.confidence:.1%}"
        since = f"{held.at:%Y-%m-%d %H:%M}" if held else ""
        table.add_row(task.task, line, _answers(task), since)
    out.print(table)


@tasks_app.command(epilog="Example: `feilun tasks show 7fcda7318104`")
def show(
    what: Annotated[str, typer.Argument(help="A proposal's id, or how it begins; or a task.")],
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Show one proposal or task: its fixed words, its answers, and some calls."""
    with (
        the_house(store, blobs, prices) as house,
        bar("Looking through raw calls", quiet=as_json) as progress,
    ):
        if what in house.tasks():
            shape = _known(house, what)
        else:
            shape = _shape(house.discovery.proposal(what, progress))
    if as_json:
        print_json(shape)
        return
    for key, value in shape.items():
        if value not in (None, "", {}, []):
            out.print(f"{key}: {_in_words(value)}", markup=False, highlight=False, soft_wrap=True)


@tasks_app.command(
    epilog="Example: `feilun tasks adopt 7fcda7318104 --name expense.category --max-loss 0.05`"
)
def adopt(
    proposal: Annotated[str, typer.Argument(help="The proposal's id, or how it begins.")],
    name: Annotated[str, typer.Option(help="What the task is to be called.")],
    max_loss: Annotated[float, typer.Option(help="The red line: highest mean loss.")],
    confidence: Annotated[float, typer.Option(help="Of the red line.")] = 0.95,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Make a task of a proposal. Its requests, past and to come, are calls of it from now on.

    Again with the same name, it sets the red line and finishes what was cut off.
    """
    with (
        the_house(store, blobs, prices) as house,
        bar("Adopting", quiet=as_json) as progress,
    ):
        task = house.discovery.adopt(proposal, name, max_loss, confidence, progress)
        held = next((each for each in house.discovery.adoptions() if each.task == name), None)
    words = (
        f"Adopted {name}: requests that match are calls of it from now on, and go to their "
        f"model until a student is released. Next: `feilun turn {name}`."
    )
    say(as_json, _task_shape(task, held), words)


@tasks_app.command(epilog="Example: `feilun tasks abandon expense.category`")
def abandon(
    name: Name,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """End an adoption: requests go to their models again. The task and its calls stay."""
    with the_house(store, blobs, prices) as house:
        ended = house.discovery.abandon(name)
    say(as_json, ended.model_dump(mode="json"), f"{name} is adopted no longer.")


def _print_proposals(found: list[Proposal]) -> None:
    table = Table("id", "name", "answers", "calls", "share", "tokens a day", "adopt?")
    for each in found:
        tokens = "" if each.tokens_per_day is None else f"{each.tokens_per_day:,}"
        kind = f"{len(each.labels)} labels" if each.kind == "labels" else each.kind
        verdict = "yes" if each.why_not is None else f"no: {each.why_not.value}"
        share = f"{each.share:.0%}"
        table.add_row(each.id[:_ID], each.name, kind, f"{each.calls:,}", share, tokens, verdict)
    if found:
        out.print(table)
    for why in dict.fromkeys(each.why_not for each in found if each.why_not):
        out.print(f"{why.value}: {SAYS[why]}", markup=False, highlight=False, soft_wrap=True)
    adoptable = next((each for each in found if each.adoptable), None)
    if adoptable:
        command = f"feilun tasks adopt {adoptable.id[:_ID]} --name {adoptable.name} --max-loss 0.05"
        out.print(f"Next: {command}", markup=False, highlight=False, soft_wrap=True)
    else:
        out.print(
            "No task was found yet: it takes 20 raw calls with the same fixed words. Send your "
            "traffic through the gateway and look again.",
            soft_wrap=True,
        )


def _shape(each: Proposal) -> dict[str, Json]:
    """A proposal for programs."""
    return {
        "id": each.id,
        "name": each.name,
        "kind": each.kind,
        "calls": each.calls,
        "share": round(each.share, 4),
        "tokens_per_day": each.tokens_per_day,
        "adoptable": each.adoptable,
        "why_not": each.why_not and SAYS[each.why_not],
        "models": dict(each.models),
        "system": each.system,
        "head": each.head,
        "tail": each.tail,
        "format": each.format,
        "answer": each.answer,
        "field": each.field,
        "labels": dict(each.labels),
        "output_schema": each.output_schema,
        "examples": [shot.model_dump(mode="json") for shot in each.examples],
    }


def _known(house: House, name: str) -> dict[str, Json]:
    held = next((each for each in house.discovery.adoptions() if each.task == name), None)
    return _task_shape(house.task(name), held)


def _task_shape(task: Task, held: Adoption | None) -> dict[str, Json]:
    """A task for programs, with its adoption if one is in force."""
    return {
        **task.model_dump(mode="json", exclude={"version"}),
        "adoption": held and held.model_dump(mode="json", exclude={"version", "task"}),
    }


def _answers(task: Task) -> str:
    labels = task.output_schema.get("enum")
    return (
        f"{len(labels)} labels"
        if isinstance(labels, list)
        else str(task.output_schema.get("type", "JSON"))
    )


def _in_words(value: Json) -> str:
    """A value of a shape in one line."""
    if isinstance(value, dict):
        parts = [f"{key} {_in_words(inner)}" for key, inner in value.items()]
        more = f", and {len(parts) - _LABELS} more" if len(parts) > _LABELS else ""
        return ", ".join(parts[:_LABELS]) + more
    if isinstance(value, list):
        return "".join(f"\n  - {_in_words(inner)}" for inner in value)
    return str(value)
