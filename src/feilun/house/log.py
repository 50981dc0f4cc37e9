"""The log of a house: the store with its prices and its clock, and what all parts ask of it."""

from collections.abc import Iterator
from datetime import date, datetime

from feilun import ledger, release
from feilun.errors import NotFound
from feilun.ports import Book, Clock, Store
from feilun.records import (
    Call,
    Certificate,
    Json,
    Price,
    Record,
    Refusal,
    Release,
    Task,
    content_id,
)


class Log:
    """A store that is written with the prices and postings that belong to its records."""

    def __init__(self, store: Store, book: Book, clock: Clock) -> None:
        self.store = store
        self.book = book
        self.clock = clock
        self._priced: set[date] = set()  # days whose prices this log has been given

    def declare(self, task: Task) -> None:
        """Make a task known. The same declaration again is no news; another replaces it.

        What the log holds is the declaration at this moment, under an id of its own: a
        task may go back to an earlier one.
        """
        latest = next(reversed(list(self.store.read(Task, task.task))), None)
        now = self.clock.now()
        told = task.model_copy(update={"id": content_id([task.id, now.isoformat()]), "at": now})
        if latest is None or told != latest.model_copy(update={"id": told.id, "at": now}):
            self.store.append(told)

    def task(self, name: str) -> Task:
        """The latest declaration of a task. Raises NotFound with the names there are."""
        found = list(self.store.read(Task, name))
        if not found:
            known = ", ".join(self.tasks()) or "none yet"
            raise NotFound(f"No task is called {name!r} in this store. Tasks: {known}.")
        return found[-1]

    def tasks(self) -> list[str]:
        """The names of all tasks, in the order of their first declaration."""
        return list(dict.fromkeys(task.task for task in self.store.read(Task)))

    def keep(self, *records: Record) -> None:
        """Append records and the prices and postings that go with them, in one durable step."""
        days = {r.at.date(): r.at for r in records if r.at.date() not in self._priced}
        prices = {p.id: p for at in days.values() for p in self._prices(at)}
        self.store.append(*records, *prices.values(), *ledger.postings(records, self.book))
        self._priced.update(days)

    def verdicts(self, name: str | None = None) -> list[Certificate | Refusal]:
        """All verdicts in the order of their moments."""
        found: list[Certificate | Refusal] = [
            *self.store.read(Certificate, name),
            *self.store.read(Refusal, name),
        ]
        return sorted(found, key=lambda verdict: (verdict.at, verdict.attempt))

    def pointer(self, name: str) -> Release | None:
        """The release in force."""
        return release.pointer(self.store.read(Release, name))

    def about(self, call: Call) -> dict[str, Json]:
        """What a record that is made now of a call says of itself."""
        return {**self.now(), "task": call.task, "call": call.id}

    def now(self) -> dict[str, Json]:
        """The id and the moment of a record that is made now."""
        return {"id": self.clock.new_id(), "at": self.clock.now()}

    def _prices(self, at: datetime) -> Iterator[Price]:
        """The prices in force at a moment: a posting names its price, so the log has them."""
        found = (self.book.price(item, at) for item in self.book.items())
        return (price for price in found if price)
