"""An appraisal for a person at a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from feilun.appraise.row import REASONS
from feilun.appraise.shape import Appraisal, TaskReport

_STYLE = {"certified": "green", "refused": "yellow", "not_judged": "dim"}
_LEFT_OUT = {
    "rare_answer": "answers outside of the labels (they count as lost where a student serves them)",
    "judged_wrong": "answers judged wrong, where the right one is not known (any answer is lost)",
    "tools": "calls with tools",
    "media": "calls with images, sound or files",
    "too_long": "inputs over 32,768 characters",
}


def render(appraisal: Appraisal, console: Console) -> None:
    """Write an appraisal to a console: one line a task, then what is missing and left out."""
    line = appraisal.red_line
    console.print(
        Text(
            f"{appraisal.file}: {appraisal.rows:,} rows, {len(appraisal.tasks)} tasks. "
            f"Red line: at most {line.max_loss:.1%} loss, confidence {line.confidence:.0%}."
        )
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("task", overflow="fold")
    for name in ("rows", "verdict", "bounds", "served", "its loss", "saved / 1,000 calls"):
        table.add_column(name, justify="left" if name in ("verdict", "bounds") else "right")
    for task in appraisal.tasks:
        table.add_row(*_cells(task))
    console.print(table)
    for task in appraisal.tasks:
        for says in _sentences(task):
            console.print(Text(f"{task.name}: {says}"))
    for broken in appraisal.broken:
        console.print(
            Text(f"{broken.rows:,} rows not read: {REASONS[broken.reason]} {_lines(broken.lines)}")
        )
    for note in appraisal.notes:
        console.print(Text(note))


def _cells(task: TaskReport) -> list[Text]:
    served = loss = "-"
    if task.coverage is not None and task.coverage_low is not None:
        served = f"{task.coverage:.1%} ({task.coverage_low:.0%} to {task.coverage_high:.0%})"
    if task.served_loss is not None:
        loss = f"{task.served_loss:.1%} (up to {task.served_loss_upper:.1%})"
    verdict = Text(task.verdict.replace("_", " "), style=_STYLE[task.verdict])
    saved = "unknown" if task.saving else "-"
    if task.saving and task.saving.per_1000_calls is not None:
        saved = f"{task.saving.per_1000_calls:.4f} {task.saving.currency}"
    return [
        Text(task.name),
        Text(f"{task.rows:,}"),
        verdict,
        Text(task.bounds or "-"),
        Text(served),
        Text(loss),
        Text(saved),
    ]


def _sentences(task: TaskReport) -> list[str]:
    said = []
    if task.bounds == "agreement" and task.verdict == "certified":
        said.append("agreement with the log's own answers is bounded, not correctness.")
    if task.missing:
        said.append(task.missing.says)
    if task.teacher:
        t = task.teacher
        said.append(
            f"the log's own answers are wrong on {t.error:.1%} "
            f"({t.error_low:.1%} to {t.error_high:.1%}) of {t.rows:,} with gold."
        )
    if task.holdout and task.holdout.loss is not None:
        h = task.holdout
        said.append(f"held out: {h.coverage:.1%} of {h.rows:,} served, {h.loss:.1%} of them wrong.")
    if task.saving and task.saving.why:
        said.append(task.saving.why)
    for left in task.left_out:
        what = _LEFT_OUT.get(left.reason, left.reason)
        said.append(f"{left.rows:,} rows left out: {what} {_lines(left.lines)}")
    return said + task.notes


def _lines(lines: list[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:5])
    return f"(line {shown}{', ...' if len(lines) > 5 else ''})"
