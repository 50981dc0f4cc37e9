"""The writer: one thread that makes the appends of all threads durable together.

A disk can confirm a few hundred writes a second, and a confirmed write may hold
any number of records. So every append hands in its batch and waits; the thread
takes all that wait, writes them in one transaction, and wakes their owners.
"""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from feilun.errors import Conflict, StoreError
from feilun.store.rows import Row

# Batches that share a transaction. More than the threads that one process runs.
MOST_TOGETHER = 256

Batch = Sequence[Row]
Write = Callable[[Sequence[Batch]], Sequence[Conflict | None]]
"""Stores some batches in one transaction. Returns for each why it was left out, or
None when it is durable. Raises when the transaction failed and nothing was stored."""


class _Waiting:
    """A batch, and the thread that waits for it. A bare lock is a tenth of a Future's cost."""

    __slots__ = ("_done", "_refused", "batch")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self._refused: Exception | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def answer(self, refused: Exception | None) -> None:
        self._refused = refused
        self._done.release()

    def wait(self) -> None:
        self._done.acquire()
        if self._refused is not None:
            try:
                raise self._refused
            finally:
                self._refused = None  # it holds this frame, and this frame holds it


class Writer:
    """Runs `write` in one thread, over all the batches that wait at that moment.

    When a group fails as a whole, its batches are written one by one, so that each
    fails or passes by itself. Appends that were handed in before `close` are kept.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()  # None is its end
        self._door = threading.Lock()  # so that nothing is handed in behind the end
        self._closed = False
        # A daemon: a process that forgot to close must still end. What it has not
        # been told to be durable need not be.
        self._thread = threading.Thread(target=self._run, name="feilun-store", daemon=True)
        self._thread.start()

    def append(self, batch: Batch) -> None:
        """Return when the batch is durable; raise what kept it out, with none of it stored."""
        waiting = _Waiting(batch)
        with self._door:
            if self._closed or not self._thread.is_alive():  # a fork takes no threads along
                raise StoreError(
                    "this store is closed, or was opened before a fork. Open it in this process"
                )
            self._waiting.put(waiting)
        waiting.wait()

    def close(self) -> None:
        """Take no more, write what waits, end the thread. Closing twice is allowed."""
        with self._door:
            self._closed = True
            self._waiting.put(None)
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
                    waiting.answer(refused)

    def _next_group(self) -> list[_Waiting]:
        """All that wait, once there is something. Empty when closed and done."""
        group: list[_Waiting] = []
        while len(group) < MOST_TOGETHER and not (group and self._waiting.empty()):
            waiting = self._waiting.get()
            if waiting is None:
                self._waiting.put(None)  # met again when this group is written
                break
            group.append(waiting)
        return group

    def _write_alone(self, waiting: _Waiting) -> None:
        try:
            (refused,) = self._write([waiting.batch])
        except Exception as error:  # belongs to the thread that waits for this batch
            waiting.answer(error)
        else:
            waiting.answer(refused)
