"""From a file to an appraisal: read, discover, judge, report."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from time import perf_counter

from pydantic import ValidationError

from feilun.appraise import report
from feilun.appraise.discover import Found, discover
from feilun.appraise.fields import Choice
from feilun.appraise.judge import judge_task
from feilun.appraise.readers import Log, read
from feilun.appraise.report import Context
from feilun.appraise.row import REASONS, Broken, Row
from feilun.appraise.saving import tariff
from feilun.appraise.shape import Appraisal, Line, Prices, TaskReport
from feilun.clock import SystemClock
from feilun.errors import InputError
from feilun.ledger import TomlBook
from feilun.ports import Clock, Progress
from feilun.records import Money, RedLine

_STEPS = 1000  # of progress; reading is the first part
_READING = 400
_WORK = 600_000  # examples times labels of all tasks together: about 20 s of one core
_MOST_EXAMPLES, _FEWEST_EXAMPLES = 4000, 700  # of one task


@dataclass(frozen=True)
class Options:
    """What a person asks for. Columns are found by their usual names unless they are named."""

    max_loss: float = 0.05
    confidence: float = 0.95
    columns: Choice = field(default_factory=Choice)
    prices: Path | None = None
    max_rows: int = 1_000_000  # about 1 GB of memory for short inputs


def appraise(
    path: Path,
    options: Options | None = None,
    *,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> Appraisal:
    """Say what a student could serve of a log, and what that would save.

    Writes nothing, keeps nothing. Every task gets one look of its own red line. Raises
    InputError for a file, a column, a price book or a red line that cannot be used; a
    broken row is counted, never raised. Progress is told in thousandths.
    """
    started = perf_counter()
    options = options or Options()
    line = _line(options)
    book = TomlBook(options.prices) if options.prices else None
    at = (clock or SystemClock()).now()
    log, rows, broken, cut_short = _read(path, options, progress)
    found = discover(rows, path.stem)
    tasks = _judge(found, Context(line, book, at), progress)
    notes = list(log.notes)
    if cut_short:
        notes.append(f"Only the first {options.max_rows:,} rows were read.")
    return Appraisal(
        version=_version(),
        file=str(path),
        format=log.form,
        columns=log.columns,
        rows=len(rows) + sum(len(lines) for lines in broken.values()),
        broken=report.left_out(broken),
        red_line=Line(max_loss=line.max_loss, confidence=line.confidence),
        prices=_prices(options.prices, book, at),
        tasks=tasks,
        notes=notes,
        seconds=round(perf_counter() - started, 3),
    )


def _line(options: Options) -> RedLine:
    try:
        return RedLine(max_loss=options.max_loss, confidence=options.confidence)
    except ValidationError as error:
        raise InputError(
            f"The red line ({options.max_loss}, {options.confidence}) is none: the maximum loss "
            "lies between 0 and 1, the confidence between 0.5 and 1, as in --max-loss 0.05 "
            "--confidence 0.95."
        ) from error


def _prices(path: Path | None, book: TomlBook | None, at: datetime) -> Prices | None:
    return tariff(book, str(path), at) if book else None


def _read(
    path: Path, options: Options, progress: Progress | None
) -> tuple[Log, list[Row], dict[str, list[int]], bool]:
    """All rows of a log. Raises InputError, with the reasons, where none can be used."""
    size = path.stat().st_size if path.is_file() else 0
    done = 0

    def seen(count: int) -> None:
        nonlocal done
        done += count
        if progress and size:
            progress(min(_READING, _READING * done // size), _STEPS)

    log = read(path, options.columns, seen)
    rows: list[Row] = []
    broken: dict[str, list[int]] = defaultdict(list)
    for row in islice(log.rows, options.max_rows):
        if isinstance(row, Broken):
            broken[row.reason].append(row.line)
        else:
            rows.append(row)
    if not rows:
        reasons = "; ".join(
            f"{len(lines)} x {REASONS[reason]}, as in line {lines[0]}"
            for reason, lines in sorted(broken.items())
        )
        raise InputError(
            f"{path}: no row can be used ({reasons or 'there is none'}). Fields found: "
            f"{', '.join(map(repr, log.names)) or 'none'}. A row needs an input and an answer: "
            "name them with --input-column and --output-column."
        )
    return log, rows, dict(broken), next(iter(log.rows), None) is not None


def _judge(found: Sequence[Found], context: Context, progress: Progress | None) -> list[TaskReport]:
    labels = sum(len(task.labels) for task in found if task.kind == "labels")
    limit = min(_MOST_EXAMPLES, max(_FEWEST_EXAMPLES, _WORK // max(1, labels)))
    audit = context.book.price("audit:person", context.at) if context.book else None
    price = Money(amount=audit.amount, currency=audit.currency) if audit else None
    reports = []
    for number, task in enumerate(found, start=1):
        if task.kind == "labels":
            result = judge_task(task, context.line, limit, price)
            reports.append(report.judged(task, result, context))
        else:
            reports.append(report.not_judged(task, context))
        if progress:
            progress(_READING + (_STEPS - _READING) * number // len(found), _STEPS)
    return reports


def _version() -> str:
    try:
        return version("feilun")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
