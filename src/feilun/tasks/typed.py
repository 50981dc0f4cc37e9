"""A task that was declared by a function, and remembers the function's types."""

from typing import Any, Generic, TypeVar

from pydantic import PrivateAttr, TypeAdapter

from feilun.records import Task

In = TypeVar("In")
Out = TypeVar("Out")


class TypedTask(Task, Generic[In, Out]):
    """A `Task` as any other, equal to one with the same content, and stored as one.

    `returns` turns an output, which is JSON, into what the function says that it returns.
    """

    _returns: TypeAdapter[Out] = PrivateAttr()

    @classmethod
    def of(cls, task: Task, returns: Any) -> "TypedTask[In, Out]":
        """The task of a function that is annotated to return `returns`."""
        typed = cls.model_construct(**dict(task))
        typed._returns = TypeAdapter(returns)
        return typed

    @property
    def returns(self) -> TypeAdapter[Out]:
        """The reader of outputs."""
        return self._returns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and dict(self) == dict(other)

    __hash__ = Task.__hash__
