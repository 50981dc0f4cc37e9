"""Opening somebody's log: what it is, and its rows one at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from feilun.appraise import chat, table
from feilun.appraise.fields import Choice
from feilun.appraise.lines import Line, Seen, encoding, lines, sample
from feilun.appraise.row import Broken, Row, clean
from feilun.errors import InputError

_HEAD = 50  # lines looked at to tell JSONL from a table


@dataclass(frozen=True)
class Log:
    """An opened log. `rows` is read once, while the file is read."""

    form: Literal["jsonl", "table"]
    columns: dict[str, str]  # role to column, of a table
    names: list[str]  # of the columns, or of the first object's fields
    notes: list[str]
    rows: Iterator[Row | Broken]


def read(path: Path, choice: Choice, seen: Seen | None = None) -> Log:
    """Open a log in JSONL or as a table; `seen` is called with the bytes of every chunk.

    Raises InputError for what is no text, has no such columns, or is one JSON array.
    A row that cannot be used is `Broken`, never an error.
    """
    source = lines(path, encoding(sample(path)), seen)
    head = list(islice(source, _HEAD))
    texts = [line.text.lstrip() for line in head if isinstance(line, Line) and line.text.strip()]
    whole = chain(head, source)
    if any(text.startswith("{") for text in texts) or path.suffix.lower() in (".jsonl", ".ndjson"):
        return _objects(path, texts, whole, choice)
    if texts and texts[0].startswith("["):
        raise InputError(
            f"{path}: is one JSON array. Write one object a line: `jq -c '.[]' FILE > log.jsonl`."
        )
    return _table(path, whole, choice)


def _objects(path: Path, texts: list[str], source: Iterator[Line | Broken], choice: Choice) -> Log:
    if texts and texts[0].rstrip() in ("{", "["):
        raise InputError(
            f"{path}: is JSON over several lines. Write one object a line, as in "
            "`jq -c '.[]?' FILE > log.jsonl` (or `jq -c .` for objects one after another)."
        )

    def rows() -> Iterator[Row | Broken]:
        for line in source:
            if isinstance(line, Broken):
                yield line
            elif line.text.strip():
                yield chat.parse(line.number, line.text, choice)

    return Log("jsonl", {}, _names(texts), [], rows())


def _names(texts: list[str]) -> list[str]:
    """The names of the first object's fields."""
    for text in texts:
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(body, dict):
            return [clean(str(name))[:60] for name in body][:30]
    return []


def _table(path: Path, source: Iterator[Line | Broken], choice: Choice) -> Log:
    first = next((line for line in source if isinstance(line, Broken) or line.text.strip()), None)
    if first is None or isinstance(first, Broken):
        why = "is empty" if first is None else f"its first line cannot be read ({first.reason})"
        raise InputError(f"{path}: {why}. Give a log in JSONL or CSV (UTF-8).")
    mark = table.delimiter(first.text)
    found = table.records(chain([first], source), mark)
    head = next(found)
    if isinstance(head, Broken):
        raise InputError(f"{path}: the first line has a quote that does not end.")
    columns = table.columns(path, head.cells, choice)
    rows = (r if isinstance(r, Broken) else table.row(columns, r) for r in found)
    return Log("table", columns.roles, list(columns.names), table.notes(columns), rows)
