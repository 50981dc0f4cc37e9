"""Noticing that a client has left, or has stopped reading, while its answer is made.

A task per request to wait for that would cost 15 µs; most answers are quicker than a person
can leave. So the watch begins late.
"""

import asyncio

from feilun.gateway.http import Request

_BEGINS = 0.05  # seconds
_STALLED = 120.0  # seconds in which a client takes nothing of what waits for it
_LOOKS = 15.0


class Watch:
    """Cancels the task that answers a request when its client has left: then `left` is true."""

    __slots__ = ("_handle", "_request", "_task", "_watcher", "left")

    def __init__(self, request: Request) -> None:
        self.left = False
        self._request = request
        self._watcher: asyncio.Task[None] | None = None
        self._task = asyncio.current_task()
        self._handle = asyncio.get_running_loop().call_later(_BEGINS, self._begin)

    def stop(self) -> None:
        """The answer is complete, or nobody is there to get it."""
        self._handle.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        gone = asyncio.ensure_future(self._request.gone())
        try:
            while not (await asyncio.wait({gone}, timeout=_LOOKS))[0]:
                if self._request.stalled_since and (
                    asyncio.get_running_loop().time() - self._request.stalled_since > _STALLED
                ):
                    self._request.abort()
        finally:
            gone.cancel()
        self.left = True
        if self._task is not None:
            self._task.cancel()
