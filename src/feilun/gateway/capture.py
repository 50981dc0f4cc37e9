"""Capture: what was answered goes into the store, in groups, off the event loop.

A durable call's last byte waits here until its group is on the disk. Watching does not
disturb: the queue is bounded, and what could not be kept is counted and shown.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from feilun.errors import Conflict, StoreError, Unstorable
from feilun.gateway.config import Capture as Mode
from feilun.gateway.config import CaptureConfig
from feilun.records import Record

Make = Callable[[], Sequence[Record]]
"""Makes the records of one answered request; runs in the capture's own thread."""

# After the store has failed, how long until it is tried again.
_AGAIN_SECONDS = 1.0

# A commit costs 0.4 ms of CPU whatever it holds, so a group waits a moment for more: calls that
# nobody waits for, this long,
_LINGER_SECONDS = 0.05
# and durable ones this long, when the group before shows that many ask at once.
_LINGER_DURABLE = 0.002
_MANY = 8


@dataclass(slots=True)
class _Item:
    make: Make
    size: int
    done: "asyncio.Future[None] | None"
    records: Sequence[Record] = ()
    error: BaseException | None = None


@dataclass
class Counts:
    """What became of calls. `at_risk` are answered and not yet on the disk."""

    kept: int = 0
    lost: int = 0
    at_risk: int = 0
    groups: int = 0


@dataclass
class Away:
    """Since when the store has failed, and how it said so."""

    why: str
    until: float = field(default_factory=lambda: monotonic() + _AGAIN_SECONDS)


class Capture:
    """One thread that keeps what a gateway answered. Use it from one event loop.

    `keep` appends records durably, all or none. `when_away` of the configuration acts
    when it fails: `refuse` fails the durable calls of the group, and those that come
    before the store is tried again; `answer` lets them go and keeps what the queue holds.
    """

    def __init__(self, keep: Callable[..., None], config: CaptureConfig) -> None:
        self._keep = keep
        self._refuses = config.when_away == "refuse"
        self._room = config.queue_bytes
        self._items: list[_Item] = []
        self._bytes = 0
        self._closed = False
        self._wake = threading.Condition()
        self._closing = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.counts = Counts()
        self.away: Away | None = None
        self._thread = threading.Thread(target=self._run, name="feilun-capture", daemon=True)
        self._thread.start()

    def admit(self, mode: Mode) -> None:
        """Raise StoreError where a call of this mode could not be kept. Before it is asked."""
        if mode != "durable" or not self._refuses:
            return
        if self.away and monotonic() < self.away.until:
            raise StoreError(f"Calls cannot be kept now: {self.away.why}")
        if self._bytes > self._room:
            raise StoreError(
                "Calls come faster than the store keeps them, and the queue is full. Come back "
                "in a second, or raise capture.queue_bytes in feilun.toml."
            )

    def add(self, mode: Mode, make: Make, size: int) -> "asyncio.Future[None] | None":
        """Take a call of about `size` bytes. Durable ones get a future to wait for.

        The future raises StoreError where the call was not kept and the policy refuses.
        """
        if mode == "off":
            return None
        done = self._loop.create_future() if mode == "durable" else None
        if self._bytes > self._room and (done is None or not self._refuses):
            self.counts.lost += 1
            if done:
                done.set_result(None)
            return done
        if done is None:
            self.counts.at_risk += 1
        with self._wake:
            self._items.append(_Item(make, size, done))
            self._bytes += size
            self._wake.notify()
        return done

    def close(self) -> None:
        """Keep what waits, and end the thread. Blocks."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        group: list[_Item] = []
        while group := self._next_group(len(group)):
            self._write(group)
            away = [item for item in group if _is_away(item.error)]
            self._tell(self._settle, group)
            if away:
                self._put_back([item for item in away if item.done is None or not self._refuses])

    def _next_group(self, before: int) -> list[_Item]:
        with self._wake:
            self._wake.wait_for(lambda: self._items or self._closed)
            durable = any(item.done is not None for item in self._items)
        if not durable:
            self._closing.wait(_LINGER_SECONDS)
        elif before >= _MANY:
            self._closing.wait(_LINGER_DURABLE)
        with self._wake:
            group, self._items = self._items, []
            self._bytes -= sum(item.size for item in group)
            return group

    def _put_back(self, items: list[_Item]) -> None:
        """Hold what was answered already, and try again in a while. Closing gives it up."""
        with self._wake:
            if self._closed:
                self._tell(self._lose, len(items))
                return
            self._items = [_Item(item.make, item.size, None) for item in items] + self._items
            self._bytes += sum(item.size for item in items)
            self._wake.wait_for(lambda: self._closed, _AGAIN_SECONDS)

    def _write(self, group: list[_Item]) -> None:
        """Keep a group in one step, or each alone where that fails; notes what failed."""
        for item in group:
            try:
                item.records = item.make()
            except Exception as error:  # a call that cannot be told is that call's trouble
                item.error = error
        good = [item for item in group if item.error is None]
        try:
            self._keep(*(record for item in good for record in item.records))
        except Exception:  # whatever it was: alone, each gets its own answer
            self._write_alone(good)

    def _write_alone(self, items: list[_Item]) -> None:
        away: Exception | None = None
        for item in items:
            try:
                if away is None:
                    self._keep(*item.records)
            except Exception as error:
                item.error = error
                away = error if _is_away(error) else None
            else:
                item.error = away  # the store is away: one failure speaks for the rest

    def _tell(self, told: Callable[..., None], *about: object) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(told, *about)

    # On the event loop

    def _settle(self, group: list[_Item]) -> None:
        counts = self.counts
        counts.groups += 1
        self.away = None
        for item in group:
            away = _is_away(item.error)
            if away:
                self.away = Away(str(item.error))
            if item.error is None:
                counts.kept += 1
                counts.at_risk -= item.done is None
            elif not away:
                counts.lost += 1
                counts.at_risk -= item.done is None
            elif item.done is not None and not self._refuses:
                counts.at_risk += 1  # answered now, tried again later
            self._release(item, away)

    def _release(self, item: _Item, away: bool) -> None:
        if item.done is None or item.done.done():
            return
        if item.error is None or (away and not self._refuses):
            item.done.set_result(None)
        else:
            item.done.set_exception(
                item.error
                if isinstance(item.error, StoreError)
                else StoreError(f"The call could not be kept ({type(item.error).__name__}).")
            )

    def _lose(self, items: int) -> None:
        self.counts.lost += items
        self.counts.at_risk -= items


def _is_away(error: BaseException | None) -> bool:
    """Whether an error is of the store as a whole, and not of one call."""
    return isinstance(error, StoreError) and not isinstance(error, Conflict | Unstorable)
