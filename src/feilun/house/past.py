"""The log as it was at a row: a store that shows nothing later, and takes nothing."""

from collections.abc import Iterator

from feilun.errors import StoreError
from feilun.ports import Flaw, Head, Progress, Store
from feilun.records import R, Record


class Until:
    """A `Store` up to row `seen` of another one. It only reads, and does not close the other.

    Blobs and records that are asked for by id are those of the other store, whenever they
    were written: an id names one content for ever.
    """

    def __init__(self, store: Store, seen: int) -> None:
        self._store = store
        self._seen = seen

    def append(self, *records: Record) -> None:  # noqa: ARG002 - none is taken
        """Raises StoreError: the past is not written."""
        raise StoreError("The log as it was cannot be written. Write to the store itself.")

    def read(
        self, kind: type[R], task: str | None = None, *, after: int = 0, until: int | None = None
    ) -> Iterator[R]:
        """The records of a kind that were there."""
        last = self._seen if until is None else min(until, self._seen)
        return self._store.read(kind, task, after=after, until=last)

    def get(self, kind: type[R], id: str) -> R:
        """The record with this id."""
        return self._store.get(kind, id)

    def put(self, data: bytes) -> str:  # noqa: ARG002 - none is taken
        """Raises StoreError: the past is not written."""
        raise StoreError("The log as it was takes no blobs. Write to the store itself.")

    def fetch(self, digest: str) -> bytes:
        """The blob with this address."""
        return self._store.fetch(digest)

    def head(self) -> Head:
        """The last row of the whole log."""
        return self._store.head()

    def check(self, noted: Head | None = None, progress: Progress | None = None) -> Iterator[Flaw]:
        """The flaws of the whole log."""
        return self._store.check(noted, progress)

    def close(self) -> None:
        """Nothing: the other store goes on."""
