"""Python values in, Python values out: what travels between is JSON."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from feilun.errors import TaskError
from feilun.records import Json, Task, stable_json
from feilun.tasks import TypedTask

In = TypeVar("In")
Out = TypeVar("Out")

# A declared function, a declaration, a function of the same name and types, or a name.
What = TypedTask[In, Out] | Task | Callable[[In], Out] | str

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class Typed(Generic[Out]):
    """A task's name, and how its outputs become what the caller wants of them."""

    def __init__(self, name: str, returns: TypeAdapter[Out]) -> None:
        self.name = name
        self._returns = returns

    @classmethod
    def of(cls, what: What[Any, Out], returns: type[Out] | TypeAdapter[Out] | None) -> "Typed[Out]":
        """Raises TaskError for a function that does not say what it returns."""
        name = what if isinstance(what, str) else _name(what)
        if isinstance(returns, TypeAdapter):
            return cls(name, returns)
        if returns is not None:
            return cls(name, TypeAdapter(returns))
        if isinstance(what, TypedTask):
            return cls(name, what.returns)
        if isinstance(what, Task | str):
            return cls(name, _ANYTHING)
        return cls(name, TypeAdapter(_hint(what)))

    def read(self, output: Json) -> Out:
        """An output as the caller's type. Raises TaskError where it is none."""
        try:
            return self._returns.validate_json(stable_json(output))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(["output", *(str(part) for part in first["loc"])])
            raise TaskError(
                f"Task {self.name}: {where}: {first['msg']}. The task was declared with other "
                "types than this program has. Declare it again, or change the program."
            ) from None


def as_json(name: str, value: object) -> Json:
    """A value as JSON, models and dates too. Raises TaskError for one that has no JSON form."""
    try:
        plain = to_jsonable_python(value, inf_nan_mode="constants")
        stable_json(plain)
    except (ValueError, RecursionError) as error:  # PydanticSerializationError is a ValueError
        raise TaskError(
            f"{name}: the value has no JSON form. Give text, numbers, lists, objects or models; "
            "no NaN, no half of a letter."
        ) from error
    return plain


def _name(what: Task | Callable[..., Any]) -> str:
    return what.task if isinstance(what, Task) else what.__name__


def _hint(function: Callable[..., Any]) -> Any:
    hints = get_type_hints(function)
    if "return" not in hints:
        raise TaskError(
            f"Function {function.__name__} does not say what it returns. Annotate it, as in "
            "`def category(line: str) -> Literal['food', 'rent']`."
        )
    return hints["return"]
