"""SqlStore: the log in one SQL table, beside a heap of blobs. Behind the `Store` port."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Engine, bindparam, func, select

from feilun.errors import Conflict, NotFound, StoreError
from feilun.ports import Flaw, Head, Progress
from feilun.records import R, Record
from feilun.store.blobs import FolderBlobs
from feilun.store.border import Place, crossing
from feilun.store.chain import flaws
from feilun.store.engines import writing
from feilun.store.pen import Pen, insert
from feilun.store.rows import Row, StoredRow, from_row, to_row
from feilun.store.schema import log
from feilun.store.walk import check_inside, last_row, walk
from feilun.store.writer import Batch, Writer

# Rows fetched at a time: what a reader holds in memory. From 100 on, more make no
# read faster (59,000 to 65,000 calls of 1 kB a second, two cores, SQLite).
PAGE = 200

# Ids looked up in one statement. SQLite allows 32,766 parameters.
_LOOKUP = 500

_STORED = (log.c.seq, log.c.id, log.c.task, log.c.body, log.c.digest)

# Built once: building a statement costs more than running it. Pairs of (kind, id) in
# one IN would be shorter, but SQLite then walks the whole log for every append.
_FIND_DIGESTS = select(log.c.id, log.c.digest).where(
    log.c.kind == bindparam("of_kind"), log.c.id.in_(bindparam("ids", expanding=True))
)

_Key = tuple[str, str]


class SqlStore:
    """An append-only log and blobs, over SQLite or PostgreSQL; `open_store` makes one.

    Keeps the promises of the `Store` port. Appends of many threads share commits; many
    processes may share one log, and readers see their rows in the order of commits.

    Where a PostgreSQL server is lost during a commit and not found again, `append`
    raises without knowing whether the records were stored. Append them once more:
    the same record again is no news.
    """

    def __init__(self, engine: Engine, blobs: FolderBlobs, place: Place) -> None:
        self.engine = engine  # for whoever backs up or watches the database
        self._blobs = blobs
        self._place = place
        self._closed = False
        self._pen = Pen(engine)
        self._writer = Writer(self._write)

    def append(self, *records: Record) -> None:
        """Store all of the records, or none. Returns when they are on the disk.

        Raises Conflict for an id that has other content, StoreError for a record that
        has no JSON form and for a database that refuses.
        """
        self._check_open()
        if records:
            self._writer.append([to_row(record) for record in records])

    def read(
        self, kind: type[R], task: str | None = None, *, after: int = 0, until: int | None = None
    ) -> Iterator[R]:
        """The records of a kind, and of a task, as of this call, in the order of appending.

        Only those in rows later than `after`, and up to `until` where that is given.
        Holds one page of rows in memory and no connection between pages. Raises Damaged
        at the first row that is not what was written.
        """
        self._check_open()
        wanted = [log.c.kind == kind.kind]
        if task is not None:
            wanted.append(log.c.task == task)
        with crossing(self._place), self.engine.connect() as connection:
            last = connection.execute(select(func.max(log.c.seq))).scalar() or 0
        if until is not None:
            last = min(last, until)

        def pages() -> Iterator[R]:
            seq = after
            while seq < last:
                self._check_open()
                page = select(*_STORED).where(*wanted, log.c.seq > seq, log.c.seq <= last)
                with crossing(self._place), self.engine.connect() as connection:
                    rows = connection.execute(page.order_by(log.c.seq).limit(PAGE)).all()
                for row in rows:
                    yield from_row(kind, StoredRow(*row))
                seq = rows[-1].seq if len(rows) == PAGE else last

        return pages()

    def get(self, kind: type[R], id: str) -> R:
        """The record with this id. Raises NotFound or Damaged."""
        self._check_open()
        wanted = select(*_STORED).where(log.c.kind == kind.kind, log.c.id == id)
        with crossing(self._place), self.engine.connect() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise NotFound(f"no {kind.kind} {id!r} is in {self._place.name}")
        return from_row(kind, StoredRow(*row))

    def put(self, data: bytes) -> str:
        """Keep a blob and return its sha256. Returns when it is on the disk."""
        self._check_open()
        return self._blobs.put(data)

    def fetch(self, digest: str) -> bytes:
        """The blob with this sha256. Raises NotFound or Damaged."""
        self._check_open()
        return self._blobs.fetch(digest)

    def head(self) -> Head:
        """The last row of the log and its chain, for a person to note."""
        self._check_open()
        with crossing(self._place):
            return last_row(self.engine)

    def check(self, noted: Head | None = None, progress: Progress | None = None) -> Iterator[Flaw]:
        """Walk all rows as of this call and yield a flaw for each that is not what was appended.

        Holds one page of rows in memory and no connection between pages; `progress` is told
        row numbers. Raises Damaged where the database cannot be read on, or where its own
        check finds what the rows do not show: an index that has lost one.
        """
        last = self.head()

        def found() -> Iterator[Flaw]:
            yield from flaws(walk(self.engine, self._place, last, progress), noted)
            check_inside(self.engine, self._place)

        return found()

    def close(self) -> None:
        """Write what was handed in, then let go of the database. Closing twice is allowed."""
        self._closed = True
        self._writer.close()
        self.engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._place.name} is closed. Open it again to go on")

    def _write(self, batches: Sequence[Batch]) -> list[Conflict | None]:
        rows = [row for batch in batches for row in batch]
        with crossing(self._place):
            # Nearly always all are news, so the log is asked only after that was wrong.
            if self._pen.write_new(rows):
                return [None] * len(batches)
            with writing(self.engine) as connection:
                outcomes, news = _sort_out(batches, _digests(connection, rows))
                insert(connection.connection.cursor(), self.engine.dialect.name, news)
        return outcomes


def _digests(connection: Connection, rows: Sequence[Row]) -> dict[_Key, str]:
    """What the log has under the ids of these rows."""
    ids: dict[str, set[str]] = {}
    for row in rows:
        ids.setdefault(row.kind, set()).add(row.id)
    known: dict[_Key, str] = {}
    for kind, of_kind in ids.items():
        for some in _in_parts(list(of_kind)):
            stored = connection.execute(_FIND_DIGESTS, {"of_kind": kind, "ids": some})
            known.update({(kind, id): digest for id, digest in stored})
    return known


def _in_parts(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _LOOKUP):
        yield ids[start : start + _LOOKUP]


def _sort_out(
    batches: Sequence[Batch], known: dict[_Key, str]
) -> tuple[list[Conflict | None], list[Row]]:
    """For each batch why it is refused, if it is; and the rows that are to be inserted.

    A batch sees what the log has and what the batches before it bring.
    """
    outcomes: list[Conflict | None] = []
    news: list[Row] = []
    for batch in batches:
        fresh: dict[_Key, Row] = {}
        refused = None
        for row in batch:
            key = (row.kind, row.id)
            first = fresh[key].digest if key in fresh else known.get(key)
            if first is None:
                fresh[key] = row
            elif first != row.digest:
                refused = _conflict(row)
                break
        outcomes.append(refused)
        if refused is None:
            news += fresh.values()
            known |= {key: row.digest for key, row in fresh.items()}
    return outcomes, news


def _conflict(row: Row) -> Conflict:
    return Conflict(
        f"{row.kind} {row.id!r} is already stored with other content, and the first one "
        "stands. Give the new record an id of its own"
    )
