"""To a house in this process: the same operations, without a server."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from feilun.client.operations import Operation
from feilun.ports import Engine

if TYPE_CHECKING:
    from feilun.house import House

T = TypeVar("T")

# A release or a rollback by another process is followed within this time, as in a gateway.
_FOLLOW_SECONDS = 1.0


class InProcess:
    """The way to a house. Any thread may take it."""

    def __init__(self, house: "House", *, lent: bool) -> None:
        self._house = house
        self._lent = lent
        self._followed = time.monotonic()

    @classmethod
    def on(cls, store: str | Path, teachers: Mapping[str, Engine] | None) -> "InProcess":
        """Open a house on a store. Raises StoreError."""
        from feilun.wiring import open_house  # it takes a second, and a server needs none here

        return cls(open_house(store, teachers=teachers), lent=False)

    def do(self, operation: Operation[T]) -> T:
        """Let the house do it, as things stand in the store now."""
        now = time.monotonic()
        if now - self._followed >= _FOLLOW_SECONDS:
            self._followed = now
            self._house.refresh()
        return operation.run(self._house)

    def close(self) -> None:
        """Close the store, unless the house was lent."""
        if not self._lent:
            self._house.close()


class AsyncInProcess:
    """The same way for an event loop: the house works in a thread."""

    def __init__(self, way: InProcess) -> None:
        self._way = way

    async def do(self, operation: Operation[T]) -> T:
        """Let the house do it."""
        return await asyncio.to_thread(self._way.do, operation)

    async def close(self) -> None:
        """Close the store, unless the house was lent."""
        await asyncio.to_thread(self._way.close)
