"""CSV and TSV: records out of lines, columns by name, rows out of records."""

import csv
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from feilun.appraise import fields
from feilun.appraise.chat import LONG
from feilun.appraise.fields import Choice
from feilun.appraise.lines import MOST, Line
from feilun.appraise.row import Broken, Row, clean
from feilun.errors import InputError

_DELIMITERS = (",", "\t", ";", "|")
_MOST_LINES = 200  # of one record: a quote that never ends costs this many lines, once


@dataclass(frozen=True, slots=True)
class Cells:
    """One record of a table, and the line where it begins."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Columns:
    """Which column plays which role; `unused` may hold answers that people gave."""

    names: tuple[str, ...]
    roles: dict[str, str]

    def at(self, role: str, cells: list[str]) -> str | None:
        """A record's cell for a role, or None where it is empty or there is no such column."""
        name = self.roles.get(role)
        value = cells[self.names.index(name)].strip() if name else ""
        return value or None


def delimiter(head: str) -> str:
    """The delimiter of a table's first line: the one that cuts it into the most cells."""
    parts = {d: len(_cells(head, d) or head.split(d)) for d in _DELIMITERS}
    return max(_DELIMITERS, key=lambda d: parts[d])


def records(source: Iterator[Line | Broken], mark: str) -> Iterator[Cells | Broken]:
    """Records of lines: a quoted cell may hold line ends. An endless quote breaks one line."""
    waiting: deque[Line | Broken] = deque()

    def following() -> Line | Broken | None:
        return waiting.popleft() if waiting else next(source, None)

    while (line := following()) is not None:
        if isinstance(line, Broken):
            yield line
        elif line.text.strip():
            taken: list[Line | Broken] = []
            yield _record(line, mark, following, taken)
            waiting.extendleft(reversed(taken))


def _record(
    line: Line,
    mark: str,
    following: Callable[[], Line | Broken | None],
    taken: list[Line | Broken],
) -> Cells | Broken:
    """One record that begins at `line`. Lines that it read and does not own are in `taken`."""
    text = line.text
    cells = _cells(text, mark)
    while cells is None and len(taken) < _MOST_LINES and len(text) < MOST:
        more = following()
        if more is None:
            break
        taken.append(more)
        if isinstance(more, Broken):
            break
        text += "\n" + more.text
        cells = _closed(text, mark) if '"' in more.text else None
    if cells is None:
        return Broken(line.number, "unclosed_quote")
    taken.clear()
    return Cells(line.number, cells)


def _cells(text: str, mark: str) -> list[str] | None:
    """The cells of a record, or None where its last quote is open."""
    if '"' not in text:
        return text.split(mark)
    try:
        return next(csv.reader([text], delimiter=mark, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
        if "field larger" in str(error):  # than 128 KiB, the module's own limit
            return []
    try:  # a stray quote, as in 5" pipe
        return next(csv.reader([text], delimiter=mark))
    except csv.Error:
        return text.split(mark)


def _closed(text: str, mark: str) -> list[str] | None:
    """The cells of a record over several lines, if its quotes are without fault."""
    try:
        return next(csv.reader([text], delimiter=mark, strict=True))
    except csv.Error:
        return None


def columns(path: Path, head: list[str], choice: Choice) -> Columns:
    """Give each column its role. Raises InputError, naming the columns, where one is missing."""
    names = tuple(name.strip().lstrip("\ufeff") for name in head)
    found = ", ".join(repr(name) for name in names)
    roles: dict[str, str] = {}
    for role in ("input", "output", "gold", "task"):
        named = choice.of(role)
        if named is not None:
            roles[role] = _named(path, names, named, role, found)
    for role in fields.NAMES:
        if role not in roles and (name := fields.find(names, role, tuple(roles.values()))):
            roles[role] = name
    if "input" not in roles and "system" in roles:
        roles["input"] = roles.pop("system")
    if "input" not in roles:
        raise InputError(
            f"{path}: no column holds the input by name. Columns found: {found}. "
            "Name it with --input-column, and the answers with --output-column."
        )
    if "output" not in roles and "gold" not in roles:
        raise InputError(
            f"{path}: no column holds the answers by name. Columns found: {found}. "
            "Name it with --output-column (or --gold-column, for what people judged)."
        )
    return Columns(names, roles)


def _named(path: Path, names: tuple[str, ...], named: str, role: str, found: str) -> str:
    for name in names:
        if fields.plain(name) == fields.plain(named):
            return name
    raise InputError(
        f"{path}: there is no column {named!r}. Columns found: {found}. "
        f"Name one of them with --{role}-column."
    )


def notes(table: Columns) -> list[str]:
    """What a person should know of the columns that were chosen."""
    said = [
        f"The column {name!r} occurs {times} times; the first is used."
        for name, times in Counter(table.names).items()
        if times > 1 and name in table.roles.values()
    ]
    used = set(table.roles.values())
    spare = [n for n in table.names if n not in used and fields.find([n], "output")]
    if "output" in table.roles and "gold" not in table.roles and spare:
        said.append(
            f"The column {spare[0]!r} is not used. If it holds what people judged right, "
            f"pass --gold-column {spare[0]}."
        )
    return said


def row(table: Columns, record: Cells) -> Row | Broken:
    """A row of a record, or what is wrong with it."""
    cells = record.cells
    if len(cells) != len(table.names):
        return Broken(record.line, "columns" if cells else "too_large")
    if [cell.strip() for cell in cells] == list(table.names):
        return Broken(record.line, "repeated_header")
    text, answer, gold = (table.at(role, cells) for role in ("input", "output", "gold"))
    if text is None:
        return Broken(record.line, "no_input")
    if answer is None and gold is None:
        return Broken(record.line, "no_answer")
    usd = fields.amount(table.at("cost_usd", cells))
    return Row(
        line=record.line,
        text=clean(text) if len(text) <= LONG else "",
        context=clean(table.at("system", cells) or "")[:LONG],
        answer=clean(answer) if answer else None,
        gold=clean(gold) if gold else None,
        task=table.at("task", cells),
        at=fields.moment(table.at("time", cells)),
        tokens_in=fields.count(table.at("tokens_in", cells)),
        tokens_cached=fields.count(table.at("tokens_cached", cells)),
        tokens_out=fields.count(table.at("tokens_out", cells)),
        cost=usd if usd is not None else fields.amount(table.at("cost", cells)),
        currency="USD" if usd is not None else None,
        why="too_long" if len(text) > LONG else None,
    )
