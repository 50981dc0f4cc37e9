"""Whether requests are at work: what is done beside them gives way when one comes."""

import asyncio
from collections.abc import Coroutine
from time import monotonic
from typing import Any, TypeVar

# What follows an answer, as the next step of an agent does, comes within this: whatever is
# begun and given up costs money for nothing.
_QUIET_SECONDS = 2.0

T = TypeVar("T")


class Idle:
    """Knows whether requests are at work, and gives up what is being asked when one comes."""

    def __init__(self, quiet_seconds: float = _QUIET_SECONDS) -> None:
        self.given_up = 0
        self._quiet_seconds = quiet_seconds
        self._at_work = 0
        self._since = monotonic()
        self._quiet, self._stirred = asyncio.Event(), asyncio.Event()
        self._quiet.set()
        self._asking: asyncio.Task[Any] | None = None  # of whatever is asked

    def enter(self) -> None:
        """A request has come. It waits for nothing."""
        self._at_work += 1
        if self._at_work == 1:
            self._quiet.clear()
            self._stirred.set()
            if self._asking is not None and self._asking.cancel():
                self.given_up += 1

    def leave(self) -> None:
        """A request has been answered."""
        self._at_work -= 1
        if self._at_work == 0:
            self._since = monotonic()
            self._stirred.clear()
            self._quiet.set()

    async def quiet(self) -> None:
        """Wait until no request has been at work for a while."""
        while True:
            await self._quiet.wait()
            left = self._since + self._quiet_seconds - monotonic()
            if left <= 0:
                return
            try:
                await asyncio.wait_for(self._stirred.wait(), left)
            except TimeoutError:
                continue

    # `Any` is what a coroutine sends and takes, of which nobody here has any.
    async def ask(self, asked: Coroutine[Any, Any, T]) -> T | None:
        """What was asked, or None where a request came first."""
        if self._at_work:
            asked.close()
            return None
        asking = asyncio.ensure_future(asked)
        self._asking = asking
        try:
            await asyncio.wait([asking])
        finally:
            self._asking = None
            asking.cancel()  # where the gateway ends meanwhile; else it is done
        return None if asking.cancelled() else asking.result()
