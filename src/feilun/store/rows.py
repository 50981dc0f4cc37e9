"""Rows: what a record is once it lies in the log, and the check on its way back."""

from typing import NamedTuple

from pydantic import ValidationError

from feilun.errors import Damaged, Unstorable
from feilun.records import R, Record, decode, digest, encode

# PostgreSQL indexes keys of up to 2,704 bytes, and an index here holds two names.
LONGEST_NAME = 1024

# Deeper than about 200 levels, pydantic writes what it cannot read.
_SURELY_READ = 150


class Row(NamedTuple):
    """One line of the log, before it has a sequence number."""

    kind: str
    id: str
    task: str
    at: str
    body: str
    digest: str


class StoredRow(NamedTuple):
    """What the log gave back for one line. Nothing in it is trusted yet."""

    seq: int
    id: str
    task: str
    body: str
    digest: str


def to_row(record: Record) -> Row:
    """The row of a record. Raises Unstorable for one that no log can hold."""
    _check_name(record, "id", record.id)
    _check_name(record, "task", record.task)
    try:
        body = encode(record)
        if body.count(b"[") + body.count(b"{") > _SURELY_READ:
            decode(type(record), body)
    except ValidationError as error:
        raise Unstorable(
            f"{record.kind} {record.id!r} could not be read back, so it cannot be stored: it is "
            "nested too deeply. Use fewer levels"
        ) from error
    except (ValueError, TypeError) as error:
        raise Unstorable(
            f"{record.kind} {record.id!r} has no JSON form, so it cannot be stored: {error}. "
            "Use only JSON values: no NaN, no infinity, no broken text"
        ) from error
    at = record.at.replace(tzinfo=None).isoformat(" ", "microseconds")  # records are in UTC
    return Row(record.kind, record.id, record.task, at, body.decode(), digest(body))


def from_row(kind: type[R], row: StoredRow) -> R:
    """The record of a row. Raises Damaged, naming the row, if it is not what was written."""
    # A broken byte reaches us as a lone surrogate (see engines.py): hash the true bytes. A
    # broken row header can make it bytes, a number or nothing, whatever its column says.
    body: object = row.body
    if not isinstance(body, str) or digest(body.encode(errors="surrogateescape")) != row.digest:
        raise _damaged(kind, row, "its content does not match its digest")
    try:
        record = decode(kind, row.body)
    except ValidationError as error:
        raise _damaged(
            kind, row, "it does not decode; if a newer feilun wrote it, upgrade this one"
        ) from error
    if (record.id, record.task) != (row.id, row.task):
        raise _damaged(kind, row, "it is filed under another id or task than its content says")
    return record


def _check_name(record: Record, field: str, name: str) -> None:
    if "\0" in name or len(name.encode(errors="surrogatepass")) > LONGEST_NAME:
        raise Unstorable(
            f"the {field} of a {record.kind} must have no NUL character and at most "
            f"{LONGEST_NAME} bytes: {name[:40]!r}"
        )


def _damaged(kind: type[Record], row: StoredRow, what: str) -> Damaged:
    return Damaged(
        f"{kind.kind} {row.id!r} (log row {row.seq}) is not what was written: {what}. "
        "Nothing was changed; restore this row from a backup"
    )
