"""The pen: how rows reach the log, below SQLAlchemy and in as few statements as can be.

A transaction of SQLAlchemy's costs as much as the rows that it writes. And in a busy process
every statement waits for the interpreter up to three times: beside a thread that only
computes, 16 rows took 114 ms one by one and 22 ms in one statement (two cores). So SQLite gets
one statement that is its own transaction, as long as nobody else writes to the log: it goes
on from the row that this pen wrote last, and if that is not the last any more, its numbers
are taken and it changes nothing.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection

from feilun.errors import Damaged
from feilun.ports import Head
from feilun.store.chain import START, Line, follow
from feilun.store.engines import TAKE_TURN
from feilun.store.rows import Row

# Rows in one statement, and halves of it down to one: so few texts stay prepared.
_MOST = 64

# Rows in a statement that is a transaction; what a group has less is filled with nothing. A
# prepared statement holds 3 kB a row: all sizes would be 6.4 MB, and these are 0.7 MB.
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, _MOST)

_LAST = "SELECT seq, chain FROM log ORDER BY seq DESC LIMIT 1"
_INSERT = "INSERT INTO log (seq, kind, id, task, at, body, digest, chain) "
_PLACES = {
    "sqlite": "(?,?,?,?,?,?,?,?)",
    "postgresql": "(%s,%s,%s,%s,%s::timestamp AT TIME ZONE 'UTC',%s,%s,%s)",
}
_AT_ONCE = {
    size: f"{_INSERT}SELECT * FROM (VALUES {','.join([_PLACES['sqlite']] * size)}) "  # noqa: S608
    "WHERE column1 IS NOT NULL"
    for size in _SIZES
}

# A cursor of the database's own driver: of sqlite3 or psycopg, which share no type.
Cursor = Any


class Pen:
    """Writes to the log of an engine. To be used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = engine.dialect.name
        self._head: Head | None = None  # as this pen left it; None where it does not know

    def write_new(self, rows: Sequence[Row]) -> bool:
        """Store rows that are all news, in a transaction of their own; durable on return.

        Where the log, or a row before it, has the id of one of them, nothing is stored and
        the answer is False.
        """
        head, self._head = self._head, None
        connection = self._engine.raw_connection()
        try:
            with closing(connection.cursor()) as cursor:
                if head is not None and len(rows) <= _MOST:
                    self._head = _at_once(cursor, head, rows)
                all_new = self._head is not None or self._in_turn(connection, cursor, rows)
        except BaseException:
            self._head = None
            _let_go(connection)
            raise
        connection.close()
        return all_new

    def _in_turn(
        self, connection: PoolProxiedConnection, cursor: Cursor, rows: Sequence[Row]
    ) -> bool:
        """The same in a transaction that first looks where the log ends."""
        cursor.execute(TAKE_TURN[self._dialect])
        lines = _lines(cursor, rows)
        if _insert(cursor, self._dialect, lines) < len(lines):
            connection.rollback()
            return False
        connection.commit()
        if self._dialect == "sqlite" and lines:
            self._head = Head(lines[-1].seq, lines[-1].chain)
        return True


def _at_once(cursor: Cursor, head: Head, rows: Sequence[Row]) -> Head | None:
    """Chain rows to a head in one statement of SQLite's.

    None where an id or a number is taken: then nothing has changed.
    """
    lines = follow(head, rows)
    size = next(size for size in _SIZES if size >= len(lines))
    cells: list[int | str | None] = [cell for line in lines for cell in line]
    cells += [None] * (len(Line._fields) * (size - len(lines)))
    try:
        cursor.execute(_AT_ONCE[size], cells)
    except sqlite3.IntegrityError:
        return None
    return Head(lines[-1].seq, lines[-1].chain)


def _let_go(connection: PoolProxiedConnection) -> None:
    """End a transaction that failed, and keep its connection if it can be kept.

    A new connection to SQLite may find in the write-ahead log what the disk refused to
    confirm, and take it for stored: trying again would then be no news. This one writes
    over it.
    """
    try:
        connection.rollback()
    except Exception:  # a server that is gone: its connection is of no more use
        connection.invalidate()
    else:
        connection.close()


def insert(cursor: Cursor, dialect: str, rows: Sequence[Row]) -> int:
    """Chain rows to the log in the transaction at hand; returns how many of them were news."""
    return _insert(cursor, dialect, _lines(cursor, rows))


def _lines(cursor: Cursor, rows: Sequence[Row]) -> list[Line]:
    cursor.execute(_LAST)
    return follow(_head(cursor.fetchone()), rows)


def _insert(cursor: Cursor, dialect: str, lines: Sequence[Line]) -> int:
    news = 0
    for part in _parts(lines):
        cursor.execute(_statement(dialect, len(part)), [cell for line in part for cell in line])
        news += cursor.rowcount
    return news


def _head(last: tuple[Any, Any] | None) -> Head:
    if last is None:
        return START
    seq, chain = last
    if not isinstance(chain, str):  # whatever its column says: see `from_row`
        raise Damaged(f"log row {seq} is not what was written. Run `feilun verify` to see more")
    return Head(seq, chain)


def _parts(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    start, size = 0, _MOST
    while start < len(lines):
        while size > len(lines) - start:
            size //= 2
        yield lines[start : start + size]
        start += size


def _statement(dialect: str, rows: int) -> str:
    places = ",".join([_PLACES[dialect]] * rows)
    return f"{_INSERT}VALUES {places} ON CONFLICT (kind, id) DO NOTHING"
