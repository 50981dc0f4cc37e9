"""The walk over all rows of a log in their order, on which `check` stands.

A broken page can hide rows without any error: their numbers no longer sort, or an index
has lost them. So the walk knows where it must arrive, and says so where it does not.
"""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Engine, Text, func, select, type_coerce

from feilun.errors import Damaged
from feilun.ports import Head, Progress
from feilun.store.border import Place, crossing
from feilun.store.chain import START, Line
from feilun.store.schema import log

# Rows fetched at a time: what the walk holds in memory.
_PAGE = 200

_LAST = select(log.c.seq, log.c.chain).order_by(log.c.seq.desc()).limit(1)


def last_row(engine: Engine) -> Head:
    """The last row of the log and its chain."""
    with engine.connect() as connection:
        last = connection.execute(_LAST).one_or_none()
    return Head(*last) if last else START


def walk(engine: Engine, place: Place, last: Head, progress: Progress | None) -> Iterator[Line]:
    """Every row up to the last one, just as it lies there. Raises Damaged where it cannot go on."""
    after = reached = START.seq
    while after < last.seq:
        page = _fetch(engine, place, after)
        for line in page:
            if line.seq <= last.seq:  # what lies behind it was appended meanwhile
                reached = line.seq
                yield line
        # A number with a flipped bit may be smaller than those before it.
        after = max(after + 1, *(line.seq for line in page)) if page else last.seq
        if progress:
            progress(min(after, last.seq), last.seq)
    if reached != last.seq:
        raise Damaged(
            f"{place.name}: rows after number {reached} are there and cannot be found. "
            f"{place.rescue}"
        )


def check_inside(engine: Engine, place: Place) -> None:
    """Raise Damaged where SQLite finds its own file broken: an index that has lost a row."""
    if engine.dialect.name != "sqlite":
        return
    with crossing(place), engine.connect() as connection:
        said = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    if said != "ok":
        raise Damaged(f"{place.name} is damaged ({said}). {place.rescue}")


def _fetch(engine: Engine, place: Place, after: int) -> list[Line]:
    """A page of rows; of a page that cannot be read, the first row alone."""
    try:
        return _rows(engine, place, after, _PAGE)
    except Damaged:
        pass
    try:
        return _rows(engine, place, after, 1)
    except Damaged as error:
        raise Damaged(f"the row after log row {after} cannot be read: {error}") from error


def _rows(engine: Engine, place: Place, after: int, most: int) -> list[Line]:
    wanted = select(
        log.c.seq, log.c.kind, log.c.id, log.c.task, _at(engine), log.c.body, log.c.digest,
        log.c.chain,
    )  # fmt: skip
    with crossing(place), engine.connect() as connection:
        page = connection.execute(wanted.where(log.c.seq > after).order_by(log.c.seq).limit(most))
        return [Line(*row) for row in page]


def _at(engine: Engine) -> ColumnElement[str]:
    """The cell `at` as the chain seals it: SQLite holds that very text."""
    if engine.dialect.name == "sqlite":
        return type_coerce(log.c.at, Text)
    return func.to_char(func.timezone("UTC", log.c.at), "YYYY-MM-DD HH24:MI:SS.US")
