"""`feilun watch`: how what is served stands against its lines, and the alarms there were."""

import math
from typing import Annotated

import typer
from rich.table import Table

from feilun.cli.options import DONE, NO, AsJson, Blobs, Prices, Where, the_house
from feilun.house import House
from feilun.house.guarding import Standing
from feilun.records import Alarm, Drift, Json, WhyAlarm
from feilun.terminal import bar, out, print_json
from feilun.wiring import PRICES

watch_app = typer.Typer()

_WIDE = 10  # signs in a bar of evidence
_SAYS = {
    WhyAlarm.RISK: "loss",
    WhyAlarm.SLOW: "share of slow answers",
    WhyAlarm.COST: "cost of an accepted result",
    WhyAlarm.NEVER: "answers that must never be given",
}


@watch_app.command(epilog="Example: `feilun watch --store .feilun`")
def watch(
    task: Annotated[str | None, typer.Option(help="One task; else all of them.")] = None,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Hold what was served against its red line. Exit code 1 if that raised an alarm.

    An alarm moves the pointer back to the teacher. A running gateway looks every second, and
    after each audit: this command shows how things stand, and looks where no gateway runs.
    """
    with the_house(store, blobs, prices) as house:
        names = [house.task(task).task] if task else house.tasks()
        with bar("Reading the log", quiet=as_json) as progress:
            raised = [alarm for name in names for alarm in house.watching.look(name, progress)]
        rows = [_shape(house, name) for name in names]
    if as_json:
        said = [alarm.model_dump(mode="json") for alarm in raised]
        print_json({"schema": "feilun.watch/1", "raised": said, "tasks": rows})
    else:
        _print(rows)
        for alarm in raised:
            _say(f"Alarm: {alarm.task}: {in_words(alarm)} The teacher answers again.")
    raise typer.Exit(NO if raised else DONE)


def in_words(alarm: Alarm) -> str:
    """An alarm in one sentence."""
    if alarm.rule is not None:
        return f"an audit found an answer that rule {alarm.rule!r} forbids."
    counted = "calls" if alarm.why is WhyAlarm.SLOW else "audits"
    mean = "" if alarm.mean is None else f" {alarm.mean:.3g}"
    return (
        f"{_SAYS[alarm.why]}{mean}, the line is {alarm.limit:.3g}; after {alarm.seen} {counted} "
        f"the evidence is what a student on its line gives with at most {alarm.alpha:.2%} chance."
    )


def _shape(house: House, name: str) -> dict[str, Json]:
    """A task's watch for programs: who answers, each limit, the early warning, past alarms."""
    pointer = house.pointer(name)
    at_work = pointer is not None and pointer.variant is not None
    risk = house.auditing.risk(name, "student", pointer.id) if pointer and at_work else None
    drifts = list(house.store.read(Drift, name))
    return {
        "task": name,
        "variant": (pointer.variant if pointer else None) or "teacher",
        "since": pointer.at.isoformat() if pointer else None,
        "limits": [_limit(stands) for stands in house.guarding.standing(name)],
        "risk": vars(risk) if risk else None,
        "drifting": house.guarding.drifting(name),
        "drifts": len(drifts),
        "last_drift": drifts[-1].at.isoformat() if drifts else None,
        "alarms": [alarm.model_dump(mode="json") for alarm in house.store.read(Alarm, name)],
        "never": [rule.name for rule in house.task(name).red_line.never],
    }


def _limit(stands: Standing) -> dict[str, Json]:
    return {**vars(stands), "what": _SAYS[stands.why]}


def _print(rows: list[dict[str, Json]]) -> None:
    table = Table("task", "watched", "line", "so far", "seen")
    table.add_column("evidence, of what is needed", no_wrap=True)
    for row in rows:
        name = row["task"]
        for limit in row["limits"]:
            table.add_row(name, *_cells(limit, row["risk"]))
            name = ""
        if not row["limits"]:
            table.add_row(name, "nothing: the teacher answers")
    out.print(table)
    for row in rows:
        _print_past(row)


def _cells(limit: dict[str, Json], risk: Json) -> tuple[str, ...]:
    mean = "" if limit["mean"] is None else f"{limit['mean']:.3g}"
    if limit["why"] is WhyAlarm.RISK and risk:
        mean += f" ({risk['low']:.3f} to {risk['high']:.3f})"
    filled = _bar(limit["evidence"], limit["needed"])
    evidence = f"{filled} {limit['evidence']:.2g} of {limit['needed']:.0f}"
    return limit["what"], f"{limit['line']:.3g}", mean, str(limit["seen"]), evidence


def _bar(evidence: float, needed: float) -> str:
    """How far evidence has come, by its logarithm: each audit adds to that."""
    share = math.log(evidence) / math.log(needed) if evidence > 1 else 0.0
    done = min(_WIDE, round(share * _WIDE))
    return "█" * done + "·" * (_WIDE - done)


def _print_past(row: dict[str, Json]) -> None:
    """The early warnings and the alarms of a task."""
    if row["drifting"]:
        said = ", ".join(f"{what} {value:.2g}" for what, value in row["drifting"].items())
        _say(f"{row['task']}: evidence that traffic has changed: {said} of 100 needed")
    if row["drifts"]:
        _say(f"{row['task']}: traffic changed {row['drifts']} times, last at {row['last_drift']}")
    if row["never"]:
        _say(f"{row['task']}: one audit is enough for: {', '.join(row['never'])}")
    for alarm in row["alarms"]:
        _say(f"{row['task']}: alarm at {alarm['at']} ({alarm['why']}), release {alarm['release']}")


def _say(words: str) -> None:
    out.print(words, markup=False, highlight=False, soft_wrap=True)
