"""The border between the store and its database: database errors become ours.

What a person reads names the place, says what happened and what to do next. It
holds no password and no content of a record.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from feilun.errors import Damaged, StoreError

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FULL = frozenset({sqlite3.SQLITE_FULL, "53100"})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, "XX001", "XX002"})


@dataclass(frozen=True)
class Place:
    """Where a log lies, said without a password, how to save what is left of it, and what
    its driver raises."""

    name: str
    rescue: str
    driver_error: type[Exception] = sqlite3.Error


@contextmanager
def crossing(place: Place) -> Iterator[None]:
    """Turn the database's errors into StoreError, or Damaged where its bytes are bad."""
    try:
        yield
    except (SQLAlchemyError, place.driver_error) as error:
        raise explain(error, place) from error


def explain(error: Exception, place: Place) -> StoreError:
    """The error to raise for what a database said."""
    origin = getattr(error, "orig", None) or error
    code = _code(origin)
    said = " ".join(str(origin).split())
    if code in _DAMAGED:
        return Damaged(f"{place.name} is damaged or no database ({said}). {place.rescue}")
    if code in _FULL:
        return StoreError(f"{place.name} has no room left ({said}). Free some space and try again")
    if code in _BUSY:
        return StoreError(
            f"{place.name} is held by another process ({said}). Let it finish and try again"
        )
    return StoreError(
        f"{place.name} cannot be used ({said}). Check that it is there and that you may write to it"
    )


def _code(origin: BaseException) -> int | str | None:
    """SQLite's primary error code or PostgreSQL's SQLSTATE, where there is one."""
    number: int | None = getattr(origin, "sqlite_errorcode", None)
    if number is not None:
        return number & 0xFF  # the upper bytes are details of the primary code
    state: str | None = getattr(origin, "sqlstate", None)
    return state
