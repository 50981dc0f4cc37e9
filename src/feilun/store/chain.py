"""The chain: each row of the log seals all rows before it, so that no past can be edited alone.

The `chain` of a row is the sha256, in hex, of seven texts joined by single NUL characters,
in UTF-8: the chain of the row before, then this row's kind, id, task, at, digest and seq.
The first row follows sixty-four zeros; `at` is UTC, as in 2026-03-01 12:00:00.000000; seq
is in decimal; the body is in it by its digest. No stored name holds a NUL, so two
different rows never give the same text. Stored logs depend on this form: a change of it
is a migration that seals every row again.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from feilun.errors import Damaged
from feilun.ports import Flaw, Head
from feilun.records import KINDS
from feilun.records import digest as digest_of
from feilun.store.rows import Row, StoredRow, from_row

START = Head(0, "0" * 64)
"""The head of an empty log."""


class Line(NamedTuple):
    """A row in its place in the log: every cell of it. As read, nothing in it is trusted."""

    seq: int
    kind: str
    id: str
    task: str
    at: str
    body: str
    digest: str
    chain: str


def seal(before: str, kind: str, id: str, task: str, at: str, digest: str, seq: int) -> str:
    """The chain of a row that follows a row with the chain `before`."""
    text = "\0".join((before, kind, id, task, at, digest, str(seq)))
    # A broken byte reaches us as a lone surrogate (see engines.py): seal the true bytes.
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def follow(head: Head, rows: Iterable[Row]) -> list[Line]:
    """The lines of some rows, after the last row of a log."""
    seq, chain = head.seq, head.chain
    lines = []
    for row in rows:
        seq += 1
        chain = seal(chain, row.kind, row.id, row.task, row.at, row.digest, seq)
        lines.append(Line(seq, *row, chain))
    return lines


def flaws(lines: Iterable[Line], noted: Head | None = None) -> Iterator[Flaw]:
    """Walk a log from its first line, and name each row that is not what was appended.

    After a flaw the walk goes on from the chain that the row has or should have, so that
    one changed row is one flaw; a row that was taken out shows in the row after it.
    """
    before, links = START.seq, {START.chain}
    owed = noted if noted != START else None
    for line in lines:
        due = _due(line, links)
        problem = _problem(line, before, due)
        if owed and line.seq == owed.seq:
            if not problem and line.chain != owed.chain:
                problem = "is not the noted head: the log was written anew from some row before it"
            owed = None
        if problem:
            yield Flaw(line.seq, str(line.kind), str(line.id), problem)
        links = {line.chain} if line.chain in due else {line.chain, *due}
        before = line.seq
    if owed:
        gone = f"was the head when it was noted, and is gone: the log ends at row {before}"
        yield Flaw(owed.seq, "row", str(owed.seq), gone)


def _due(line: Line, links: set[str]) -> set[str]:
    """The chains that this line may have. None, where its cells are not even text."""
    names = (line.kind, line.id, line.task, line.at, line.digest)
    if not _is_text(names):
        return set()
    return {seal(link, *names, line.seq) for link in links if _is_text((link,))}


def _problem(line: Line, before: int, due: set[str]) -> str | None:
    """What is wrong with a line that stands after row number `before`, if anything is."""
    if not _is_text(line[1:]):
        return "was changed: one of its cells is no text"
    if digest_of(line.body.encode(errors="surrogateescape")) != line.digest:
        return "was changed: its content does not match its digest"
    if line.chain not in due:
        return _misplaced(line, before)
    kind = KINDS.get(line.kind)  # a newer feilun's record is chained like any other
    try:
        if kind is not None:
            from_row(kind, StoredRow(line.seq, line.id, line.task, line.body, line.digest))
    except Damaged as error:
        return str(error)
    return None


def _misplaced(line: Line, before: int) -> str:
    if line.seq <= before:
        return f"stands out of order, after row {before}"
    if line.seq > before + 1:
        return f"was changed, or rows were taken out between it and row {before}"
    return "was changed, put in or moved: it does not continue the chain of the row before it"


def _is_text(cells: Iterable[object]) -> bool:
    # A flipped bit in a row's header turns a text into a number or into bytes.
    return all(isinstance(cell, str) for cell in cells)
