"""MemoryStore: the `Store` port in a dictionary, for tests of everything that uses one."""

import threading
from collections.abc import Iterator

from feilun.errors import Conflict, Damaged, NotFound, StoreError
from feilun.ports import Flaw, Head, Progress
from feilun.records import R, Record
from feilun.records import digest as digest_of
from feilun.store.chain import START, Line, flaws, follow
from feilun.store.rows import Row, StoredRow, from_row, to_row


class MemoryStore:
    """Keeps the promises of `feilun.ports.Store` for as long as the process lives.

    Records go through their JSON form, so what comes back is what a database would
    give back. `spoil`, `take_out` and `spoil_blob` damage what was stored, for tests of
    what others do then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], Line] = {}  # dictionaries keep their order
        self._blobs: dict[str, bytes] = {}
        self._closed = False

    def append(self, *records: Record) -> None:
        """Store all of the records, or none. Raises Conflict, or StoreError for no JSON."""
        rows = [to_row(record) for record in records]
        with self._lock:
            self._check_open()
            fresh: dict[tuple[str, str], Row] = {}
            for row in rows:
                key = (row.kind, row.id)
                first = fresh.get(key) or self._rows.get(key)
                if first is None:
                    fresh[key] = row
                elif first.digest != row.digest:
                    raise Conflict(f"{row.kind} {row.id!r} is already stored with other content")
            self._rows |= zip(fresh, follow(self._head(), fresh.values()), strict=True)

    def read(
        self, kind: type[R], task: str | None = None, *, after: int = 0, until: int | None = None
    ) -> Iterator[R]:
        """The records of a kind, and of a task, as of this call, in the order of appending."""
        with self._lock:
            self._check_open()
            rows = [row for (stored_kind, _), row in self._rows.items() if stored_kind == kind.kind]
        wanted = (r for r in rows if r.seq > after and (until is None or r.seq <= until))
        return (from_row(kind, _stored(row)) for row in wanted if task in (None, row.task))

    def get(self, kind: type[R], id: str) -> R:
        """The record with this id. Raises NotFound or Damaged."""
        with self._lock:
            self._check_open()
            row = self._rows.get((kind.kind, id))
        if row is None:
            raise NotFound(f"no {kind.kind} {id!r} is in this store")
        return from_row(kind, _stored(row))

    def put(self, data: bytes) -> str:
        """Keep a blob and return its sha256."""
        address = digest_of(data)
        with self._lock:
            self._check_open()
            self._blobs[address] = bytes(data)
        return address

    def fetch(self, digest: str) -> bytes:
        """The blob with this sha256. Raises NotFound, Damaged, or StoreError for no address."""
        with self._lock:
            self._check_open()
            data = self._blobs.get(digest)
        if data is None:
            raise NotFound(f"no blob {digest[:80]!r} is in this store")
        if digest_of(data) != digest:
            raise Damaged(f"the blob {digest} is not what was written")
        return data

    def head(self) -> Head:
        """The last row of the log and its chain."""
        with self._lock:
            self._check_open()
            return self._head()

    def check(self, noted: Head | None = None, progress: Progress | None = None) -> Iterator[Flaw]:
        """A flaw for each row, as of this call, that is not what was appended."""
        with self._lock:
            self._check_open()
            lines = list(self._rows.values())
        if progress:
            progress(len(lines), len(lines))
        return flaws(lines, noted)

    def close(self) -> None:
        """Refuse all further use. Closing twice is allowed."""
        with self._lock:
            self._closed = True

    def spoil(self, record: Record) -> None:
        """Damage a stored record, as a broken disk would."""
        key = (record.kind, record.id)
        with self._lock:
            row = self._rows[key]
            self._rows[key] = row._replace(body=row.body.replace("{", "[", 1))

    def take_out(self, record: Record) -> None:
        """Make a stored record vanish, as someone who edits the past would."""
        with self._lock:
            del self._rows[record.kind, record.id]

    def spoil_blob(self, digest: str) -> None:
        """Damage a stored blob, as a broken disk would."""
        with self._lock:
            self._blobs[digest] += b"!"

    def _head(self) -> Head:
        last = next(reversed(self._rows.values()), None)
        return Head(last.seq, last.chain) if last else START

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("this store is closed. Open it again to go on")


def _stored(line: Line) -> StoredRow:
    return StoredRow(line.seq, line.id, line.task, line.body, line.digest)
