"""Repeats: a call that is sent again while it is being answered is answered once, and for all.

What was answered before is in the store. Here is what no store knows yet: who comes while the
first is at work waits for it, and has its answer or its error. IETF's draft of the header
says 409 to them; but a client that repeats has lost its connection, and wants the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from feilun.gateway.problem import Problem
from feilun.records import Call, Json, Money


class Wanted(NamedTuple):
    """What a call asks, and of whom it is. A repeat must be the same in all of it."""

    task: str
    key: str | None
    input: Json


class Done(NamedTuple):
    """A call that was answered and kept, and what it cost, where that is known."""

    call: Call
    cost: Money | None


class _Work(NamedTuple):
    wanted: Wanted
    done: "asyncio.Future[Done]"


class Repeats:
    """The calls at work that have an idempotency key. Use it from one event loop.

    It holds as many as there are requests at work, and `limits.concurrency` bounds those.
    """

    def __init__(self) -> None:
        self._at_work: dict[str, _Work] = {}

    async def once(self, id: str, wanted: Wanted, answer: Callable[[], Awaitable[Done]]) -> Done:
        """The call with this id, from whoever is at it, else from `answer`.

        Raises what `answer` raised, and Problem where the id is at work for another call.
        """
        while work := self._at_work.get(id):
            if work.wanted != wanted:
                raise other_call()
            await asyncio.wait([work.done])
            if not work.done.cancelled():
                return work.done.result()
        done: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._at_work[id] = _Work(wanted, done)
        try:
            done.set_result(await answer())
        except asyncio.CancelledError:
            done.cancel()  # one of those who wait does it in his place
            raise
        except Exception as error:  # belongs to all of them
            done.set_exception(error)
        finally:
            del self._at_work[id]
        return done.result()


def other_call() -> Problem:
    """What is said to a key of idempotency that has been seen with something else."""
    return Problem(409, "This idempotency-key was used for another call. Take a new one.")
