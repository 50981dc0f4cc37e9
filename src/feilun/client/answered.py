"""An answer that can be judged where it stands."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from feilun.client.operations import Said
from feilun.records import Feedback

if TYPE_CHECKING:
    from feilun.client.asynchronous import AsyncClient
    from feilun.client.synchronous import Client

Out = TypeVar("Out")


@dataclass(frozen=True, kw_only=True)
class Answered(Said, Generic[Out]):
    """The answer to one input: `output`, the id of its `call`, and how it came about.

    What is said of it with these methods trains the next student.
    """

    output: Out
    client: "Client" = field(repr=False, compare=False)

    def correct(self, right: Out) -> Feedback:
        """Say what the right output is."""
        return self.client.correct(self.call, right)

    def accept(self) -> Feedback:
        """Say that the output is right."""
        return self.client.accept(self.call)

    def reject(self, reason: str | None = None) -> Feedback:
        """Say that the output is wrong, and why, where you do not know the right one."""
        return self.client.reject(self.call, reason)

    def outcome(self, value: float) -> Feedback:
        """Say what came of it, in a number of your own: an order's value, minutes saved."""
        return self.client.outcome(self.call, value)


@dataclass(frozen=True, kw_only=True)
class AsyncAnswered(Said, Generic[Out]):
    """The same answer for an event loop."""

    output: Out
    client: "AsyncClient" = field(repr=False, compare=False)

    async def correct(self, right: Out) -> Feedback:
        """Say what the right output is."""
        return await self.client.correct(self.call, right)

    async def accept(self) -> Feedback:
        """Say that the output is right."""
        return await self.client.accept(self.call)

    async def reject(self, reason: str | None = None) -> Feedback:
        """Say that the output is wrong, and why, where you do not know the right one."""
        return await self.client.reject(self.call, reason)

    async def outcome(self, value: float) -> Feedback:
        """Say what came of it, in a number of your own: an order's value, minutes saved."""
        return await self.client.outcome(self.call, value)
