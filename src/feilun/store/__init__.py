"""The store: the log of all records and the heap of blobs, on SQLite or PostgreSQL.

Every stage reads its records from here and appends its own. `open_store` is the
door; what it returns keeps the promises of `feilun.ports.Store`.
"""

from pathlib import Path

from feilun.errors import StoreError
from feilun.store.blobs import FolderBlobs
from feilun.store.border import crossing
from feilun.store.engines import (
    check_encoding,
    postgres_engine,
    settle,
    sqlite_engine,
    sqlite_place,
)
from feilun.store.schema import bring_up_to_date
from feilun.store.sql import SqlStore
from feilun.store.sqlite_file import ready_file

__all__ = ["SqlStore", "open_store"]

_POSTGRES = ("postgresql://", "postgresql+psycopg://")


def open_store(url_or_folder: str | Path, blobs: Path | None = None) -> SqlStore:
    """Open the store in a folder, or behind a PostgreSQL URL; make it where there is none.

    A folder holds `feilun.db`, and the blobs in `blobs` unless another folder is named.
    With a URL the folder for blobs must be named. A store of an older feilun is brought
    up to date; any number of processes may open one at the same time. Close the store
    when you are done.

    Raises StoreError for a place that cannot be used or that a newer feilun has made,
    and Damaged for a file that is no whole database; such a file is not touched.
    """
    if isinstance(url_or_folder, str) and "://" in url_or_folder:
        return _open_postgres(url_or_folder, blobs)
    folder = Path(url_or_folder).absolute()
    return _open_sqlite(folder / "feilun.db", blobs or folder / "blobs")


def _open_sqlite(file: Path, blobs: Path) -> SqlStore:
    place = sqlite_place(file)
    ready_file(file, place)
    engine = sqlite_engine(file)
    try:
        with crossing(place):
            bring_up_to_date(engine, place)
            settle(engine)
        return SqlStore(engine, FolderBlobs(blobs), place)
    except BaseException:
        engine.dispose()
        raise


def _open_postgres(url: str, blobs: Path | None) -> SqlStore:
    if not url.startswith(_POSTGRES):
        raise StoreError(
            f"{url.partition('://')[0]!r} is no kind of store. "
            "Name a folder, or a URL that begins with postgresql://"
        )
    if blobs is None:
        raise StoreError("a PostgreSQL store needs a folder for its blobs: name one")
    engine, place = postgres_engine(url)
    try:
        with crossing(place):
            with engine.connect() as connection:
                check_encoding(connection)
            bring_up_to_date(engine, place)
        return SqlStore(engine, FolderBlobs(blobs.absolute()), place)
    except BaseException:
        engine.dispose()
        raise
