"""Hedging: where a server is slow to begin, the next one is asked as well, and whichever begins
first answers. Off unless a server has `hedge_seconds`, for it may pay twice.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from feilun.errors import EngineError, TaskError
from feilun.gateway.legs import Asked, Leg, goes_on
from feilun.gateway.problem import Problem
from feilun.gateway.servers import Model

Lost = Callable[[Model, float], None]
"""Told of a leg that was given up: the model that had been asked, and for how many seconds."""

_AT_ONCE = 2  # legs of one request: a third would more often add load than save time


@dataclass(eq=False)
class _Runner:
    """A model that is being asked. Its leg is None until it is made, in the task."""

    model: Model
    started: float = field(default_factory=perf_counter)
    leg: Leg | None = None
    task: "asyncio.Task[Asked]" = field(init=False)


class Race:
    """One request, and the models that may answer it, in the order in which to ask them.

    One that fails gives way to the next, as without a race. One that is silent for its
    server's `hedge_seconds` goes on, beside the next, unless that has no room: a copy must not
    wait in line before those who ask for the first time. Nor is what an engine answers by its
    own /v1/responses asked twice: it keeps what it answered.
    """

    def __init__(
        self,
        models: Sequence[Model],
        leg: Callable[[Model], Leg],
        ask: Callable[[Model, Leg], Awaitable[Asked]],
    ) -> None:
        self._left = deque(models)
        self._leg = leg
        self._ask = ask
        self._running: list[_Runner] = []

    async def run(self, lost: Lost) -> Asked:
        """The first good answer, else the last bad one. Raises what the last one raised."""
        try:
            won = await self._first()
            for runner in self._running:
                if runner.leg and runner.leg.sent:
                    lost(runner.model, perf_counter() - runner.started)
            return won
        finally:
            for runner in self._running:
                runner.task.cancel()
                runner.task.add_done_callback(_let_go)

    async def _first(self) -> Asked:
        while True:
            if not self._running:
                self._start()
            tasks = [runner.task for runner in self._running]
            done, _ = await asyncio.wait(
                tasks, timeout=self._patience(), return_when=asyncio.FIRST_COMPLETED
            )
            if not done and self._may_hedge():
                self._start()
            for runner in [each for each in self._running if each.task in done]:
                if won := self._end(runner):
                    return won

    def _start(self) -> None:
        runner = _Runner(self._left.popleft())
        runner.task = asyncio.create_task(self._go(runner))
        self._running.append(runner)

    async def _go(self, runner: _Runner) -> Asked:
        """Ask one model. A request that cannot be brought to it fails here, and harms no other."""
        runner.leg = self._leg(runner.model)
        return await self._ask(runner.model, runner.leg)

    def _patience(self) -> float | None:
        """Seconds until the next model is asked as well; None where it is not."""
        if not self._left or len(self._running) >= _AT_ONCE:
            return None
        return self._running[-1].model.server.hedge_seconds

    def _may_hedge(self) -> bool:
        leg = self._running[-1].leg
        kept = leg is not None and leg.spoken == "responses"
        return not kept and not self._left[0].server.room.locked()

    def _end(self, runner: _Runner) -> Asked | None:
        """The answer of a leg that has ended, unless another may still give a better one.

        Where a request cannot be brought to a server, its client hears of it as without a race,
        unless another server is at it already.
        """
        self._running.remove(runner)
        over = not self._running and not self._left
        error = runner.task.exception()
        beside = bool(self._running) and isinstance(error, TaskError | Problem)
        if not over and (beside or isinstance(error, EngineError)):
            return None
        asked = runner.task.result()
        if over or not goes_on(asked.reply.status):
            return asked
        with asked:  # and let go of it
            return None


def _let_go(task: "asyncio.Task[Asked]") -> None:
    """Close the answer of a leg that nobody wants any more, if it has got one."""
    if not task.cancelled() and task.exception() is None:
        with task.result():
            pass
