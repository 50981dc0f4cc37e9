"""Engines: how the store talks to SQLite and to PostgreSQL.

All that differs between the two databases is here and in the migrations. What
both promise: a transaction of `writing` is alone in the log until it ends, is on
the disk when it has ended, and its rows become visible in the order of `seq`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from feilun.errors import StoreError
from feilun.store.border import Place

# How long to wait for another process's transaction. Ours last milliseconds.
BUSY_SECONDS = 10.0

_WRITES = "feilun_writes"

# How a transaction that writes begins. On PostgreSQL, one lock for all writers of a
# database: without it two processes could draw 7 and 8 and commit 8 first, and a reader
# would pass 8 and never see 7. The number is int.from_bytes(b"feilun"). A server that is
# set to confirm before the disk does is told not to, for this transaction.
TAKE_TURN = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(112585746445678), set_config("
    "'synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'"
    " ELSE current_setting('synchronous_commit') END, true)",
}


def sqlite_engine(file: Path) -> Engine:
    """An engine over a SQLite file in WAL mode, where commits wait for the disk."""
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"timeout": BUSY_SECONDS},
        # The connection that wrote last has its pages at hand; another reads them again first.
        pool_use_lifo=True,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def settle(engine: Engine) -> None:
    """Make durable what a SQLite database shows: a process may have died before its sync.

    Else the same record, appended again, would be no news and still be lost.
    """
    with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")


def sqlite_place(file: Path) -> Place:
    """What a person reads about a SQLite file."""
    rescue = (
        "Nothing was changed. Copy it and the files beside it to a safe place, then save what "
        f"can be read: sqlite3 {file.name} .recover | sqlite3 recovered.db"
    )
    return Place(f"the log {file}", rescue)


def postgres_engine(url: str) -> tuple[Engine, Place]:
    """An engine over a PostgreSQL database. Raises StoreError for a URL that is none."""
    target = _postgres_url(url)
    try:
        engine = create_engine(
            target,
            connect_args={"client_encoding": "utf8"},
            pool_pre_ping=True,  # a server that was restarted is no reason to fail
            hide_parameters=True,
        )
    except ImportError as error:
        raise StoreError(
            "PostgreSQL needs a driver that is not installed: pip install 'feilun[postgres]'"
        ) from error
    host = target.host or target.query.get("host", "this machine")
    rescue = "Nothing was changed. Restore the database from a backup"
    name = f"the PostgreSQL database {target.database!r} at {host}"
    return engine, Place(name, rescue, _driver_error(engine))


def _driver_error(engine: Engine) -> type[Exception]:
    """What its driver raises: what passes SQLAlchemy by is not wrapped in an error of its own."""
    driver: Any = engine.dialect.loaded_dbapi  # a module, by PEP 249
    error: type[Exception] = driver.Error
    return error


def check_encoding(connection: Connection) -> None:
    """Raise StoreError for a PostgreSQL database that cannot hold every text."""
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise StoreError(
            f"the PostgreSQL database has the encoding {encoding}. Create one that holds all "
            "text: CREATE DATABASE feilun TEMPLATE template0 ENCODING 'UTF8'"
        )


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is the only writer of its log, over all processes."""
    with engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(TAKE_TURN["postgresql"])
            yield connection


def _postgres_url(url: str) -> URL:
    try:
        target = make_url(url)
    except (ArgumentError, ValueError):
        target = None  # the error may quote the password: do not chain it
    if target is None or "@" in (target.host or ""):
        raise StoreError(
            "the PostgreSQL URL cannot be read. Write postgresql://user:password@host:port/name, "
            "with %40 for @, %3A for : and %2F for / inside the password"
        )
    return target.set(drivername="postgresql+psycopg")


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # SQLAlchemy, not the driver, says when transactions begin (see _begin_sqlite).
    connection.isolation_level = None
    # A damaged byte must reach the digest check of its row, not fail a whole page.
    connection.text_factory = _lenient_text
    # FULL waits for the disk at each commit; fullfsync makes macOS really do so.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA journal_mode = WAL")


def _lenient_text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql(TAKE_TURN["sqlite"] if writes else "BEGIN")
