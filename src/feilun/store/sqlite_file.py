"""The SQLite file, looked at before it is used: a damaged one is never written to.

SQLite itself opens a file whose end is missing when a write-ahead log lies beside
it, and copies that log into it on closing. So the look comes first, and it only
reads. The database file is read through SQLite alone: closing a descriptor of our
own would drop the locks of every other connection that this process has to it.
"""

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from feilun.errors import Damaged, StoreError
from feilun.store.blobs import make_folder, sync_folder
from feilun.store.border import Place, crossing

_WAL_HEADER = 32  # https://www.sqlite.org/fileformat2.html#walformat
_FRAME_HEADER = 24


def ready_file(file: Path, place: Place) -> None:
    """Make the file if it is missing, check it if it is there.

    Raises StoreError where it cannot be made or written, Damaged where its bytes
    are not a whole database. A file that was there is left as it was.
    """
    try:
        make_folder(file.parent)
        # Made also where nothing is to be drafted: asking for the permission to write
        # would get a wrong answer as root and on read-only disks.
        with tempfile.TemporaryDirectory(prefix=".draft-", dir=file.parent) as drafts:
            if not file.exists():
                _make(file, Path(drafts) / file.name, place)
    except OSError as error:
        raise StoreError(
            f"{place.name} cannot be opened: {file.parent} is no folder that can be written to "
            f"({error.strerror}). Name one that you may write to"
        ) from error
    _check(file, place)


def _make(file: Path, draft: Path, place: Place) -> None:
    """An empty database in WAL mode, for its owner only; durable on return.

    It gets its name when it is whole. SQLite does not wait where several processes
    turn one file to WAL mode: 18 of 1,200 openings, four at a time, failed there.
    """
    draft.touch(mode=0o600)
    with crossing(place), closing(sqlite3.connect(draft)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":  # where the disk fails, it answers with the old mode and no error
            raise StoreError(
                f"{place.name} cannot be made: the disk under it does not take writes, or cannot "
                "hold a write-ahead log. Check the disk, or name a folder on another one"
            )
    with suppress(FileExistsError):  # another process was first
        file.hardlink_to(draft)
    sync_folder(file.parent)


def _check(file: Path, place: Place) -> None:
    if _size(file) == 0:  # which SQLite would take for a new database
        raise Damaged(f"{place.name} is empty, and was not when it was made. {place.rescue}")
    wal = file.with_name(f"{file.name}-wal")
    logged = _size(wal) > 0
    pages, page_size = _count_pages(file, place, immutable=not logged)
    there = _size(file) // page_size
    lost = set(range(there + 1, pages + 1))
    # The size once more: another process may have moved its log into the file meanwhile.
    if lost and not lost <= _pages_in(wal) and _size(file) // page_size == there:
        raise Damaged(
            f"{place.name} is cut off: it has {there} of {pages} pages, and its write-ahead "
            f"log does not hold the rest. {place.rescue}"
        )


def _count_pages(file: Path, place: Place, *, immutable: bool) -> tuple[int, int]:
    """How many pages the database has, and their size. Writes nothing.

    Without a write-ahead log the file is read as immutable, which makes no files
    beside it. With one, a read-only connection sees it and leaves it where it is.
    """
    mode = "immutable=1" if immutable else "mode=ro"
    with (
        crossing(place),
        closing(sqlite3.connect(f"file:{quote(str(file))}?{mode}", uri=True)) as probe,
    ):
        probe.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (pages,) = probe.execute("PRAGMA page_count").fetchone()
        (page_size,) = probe.execute("PRAGMA page_size").fetchone()
    return pages, page_size


def _pages_in(wal: Path) -> set[int]:
    """The numbers of the pages that a write-ahead log holds, up to its first stale frame."""
    pages: set[int] = set()
    try:
        with wal.open("rb") as file:
            header = file.read(_WAL_HEADER)
            page_size = int.from_bytes(header[8:12], "big")
            while len(frame := file.read(_FRAME_HEADER)) == _FRAME_HEADER:
                if frame[8:16] != header[16:24]:
                    break
                pages.add(int.from_bytes(frame[:4], "big"))
                file.seek(page_size, os.SEEK_CUR)
    except FileNotFoundError:
        pass
    return pages


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
