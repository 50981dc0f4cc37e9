"""The pen: how rows reach the log, below SQLAlchemy and in as few statements as can be.

A transaction of SQLAlchemy's costs as much as the rows that it writes. And in a busy process
every statement waits for the interpreter up to three times: beside a thread that only
computes, 16 rows took 114 ms one by one and 22 ms in one statement (two cores).
"""

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

_LAST = "SELECT seq, chain FROM log ORDER BY seq DESC LIMIT 1"
_INSERT = "INSERT INTO log (seq, kind, id, task, at, body, digest, chain) VALUES "
_PLACES = {
    "sqlite": "(?,?,?,?,?,?,?,?)",
    "postgresql": "(%s,%s,%s,%s,%s::timestamp AT TIME ZONE 'UTC',%s,%s,%s)",
}

# A cursor of the database's own driver: of sqlite3 or psycopg, which share no type.
Cursor = Any


def write_new(engine: Engine, rows: Sequence[Row]) -> bool:
    """Store rows that are all news, in a transaction of their own; durable on return.

    Where the log, or a row before it, has the id of one of them, nothing is stored and
    the answer is False.
    """
    connection = engine.raw_connection()
    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute(TAKE_TURN[engine.dialect.name])
            all_new = insert(cursor, engine.dialect.name, rows) == len(rows)
        if all_new:
            connection.commit()
        else:
            connection.rollback()
    except BaseException:
        _let_go(connection)
        raise
    connection.close()
    return all_new


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
    cursor.execute(_LAST)
    lines = follow(_head(cursor.fetchone()), rows)
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
    return f"{_INSERT}{','.join([_PLACES[dialect]] * rows)} ON CONFLICT (kind, id) DO NOTHING"
