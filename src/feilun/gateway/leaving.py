"""Noticing that a client has left while its answer is made."""

import asyncio

from feilun.gateway.http import Request


class Watch:
    """Cancels the task that answers a request when its client has left: then `left` is true."""

    __slots__ = ("_client", "_task", "left")

    def __init__(self, request: Request) -> None:
        self.left = False
        self._task = asyncio.current_task()
        self._client = request.client
        if self._client is not None:
            self._client.left = self._leave

    def stop(self) -> None:
        """The answer is complete, or nobody is there to get it."""
        if self._client is not None:
            self._client.left = None

    def _leave(self) -> None:
        self.left = True
        if self._task is not None:
            self._task.cancel()
