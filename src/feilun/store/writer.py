"""The writer: one thread that makes the appends of all threads durable together.

A disk can confirm a few hundred writes a second, and a confirmed write may hold
any number of records. So every append hands in its batch and waits; the thread
takes all that wait, writes them in one transaction, and wakes their owners.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from feilun.errors import Conflict, StoreError
from feilun.store.rows import Row

# More than the threads that one process runs. Past it, an append waits to hand in.
MOST_WAITING = 256

Batch = Sequence[Row]
Write = Callable[[Sequence[Batch]], Sequence[Conflict | None]]
"""Stores some batches in one transaction. Returns for each why it was left out, or
None when it is durable. Raises when the transaction failed and nothing was stored."""


@dataclass(frozen=True)
class _Waiting:
    batch: Batch
    done: Future[None] = field(default_factory=Future)


class Writer:
    """Runs `write` in one thread, over all the batches that wait at that moment.

    When a group fails as a whole, its batches are written one by one, so that each
    fails or passes by itself. Appends that were handed in before `close` are kept.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[_Waiting] = []
        self._closed = False
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._room = threading.Condition(lock)
        # A daemon: a process that forgot to close must still end. What it has not
        # been told to be durable need not be.
        self._thread = threading.Thread(target=self._run, name="feilun-store", daemon=True)
        self._thread.start()

    def append(self, batch: Batch) -> None:
        """Return when the batch is durable; raise what kept it out, with none of it stored."""
        waiting = _Waiting(batch)
        with self._work:
            self._room.wait_for(lambda: len(self._waiting) < MOST_WAITING or self._closed)
            if self._closed or not self._thread.is_alive():  # a fork takes no threads along
                raise StoreError(
                    "this store is closed, or was opened before a fork. Open it in this process"
                )
            self._waiting.append(waiting)
            self._work.notify()
        waiting.done.result()

    def close(self) -> None:
        """Take no more, write what waits, end the thread. Closing twice is allowed."""
        with self._work:
            self._closed = True
            self._work.notify()
            self._room.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            try:
                outcomes = self._write([waiting.batch for waiting in group])
            except Exception:  # whatever it was: alone, each batch gets its own answer
                for waiting in group:
                    self._write_alone(waiting)
            else:
                for waiting, refused in zip(group, outcomes, strict=True):
                    _answer(waiting, refused)

    def _next_group(self) -> list[_Waiting]:
        """All that wait, once there is something. Empty when closed and done."""
        with self._work:
            self._work.wait_for(lambda: self._waiting or self._closed)
            group, self._waiting = self._waiting, []
            self._room.notify_all()
            return group

    def _write_alone(self, waiting: _Waiting) -> None:
        try:
            (refused,) = self._write([waiting.batch])
        except Exception as error:  # belongs to the thread that waits for this batch
            _answer(waiting, error)
        else:
            _answer(waiting, refused)


def _answer(waiting: _Waiting, refused: Exception | None) -> None:
    if refused is None:
        waiting.done.set_result(None)
    else:
        waiting.done.set_exception(refused)
