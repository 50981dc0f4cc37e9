"""Reading a request's fields with care: what is wrong is named, and no wish is lost.

A translator takes the fields that it knows. Those it knows to be harmless it may let go;
any other that is left over is refused, so that no wish of a client is dropped in silence.
"""

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from feilun.errors import TaskError
from feilun.records import Json

DEEPEST = 200
"""Levels of a request that is translated. Schemas of people have ten; a writer of JSON fails at
some hundreds, and a request must not fail after it was taken."""

T = TypeVar("T")
Body = dict[str, Json]
Check = Callable[[Json, str], T]

_encode = msgspec.json.Encoder().encode


def refusal(place: str, why: str) -> TaskError:
    """The error of a field: its place, what is wrong, what to do."""
    return TaskError(f"{place}: {why}")


def text(value: Json, place: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise refusal(place, "must be text.")
    return value


def count(value: Json, place: str) -> int:
    """A whole number above zero."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 53:
        raise refusal(place, "must be a whole number above zero.")
    return value


def number(value: Json, place: str) -> float:
    """A number that is not infinite."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not _is_finite(value):
        raise refusal(place, "must be a number.")
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number too long for a float
        return False


def flag(value: Json, place: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise refusal(place, "must be true or false.")
    return value


def items(value: Json, place: str) -> list[Json]:
    """A list."""
    if not isinstance(value, list):
        raise refusal(place, "must be a list.")
    return value


def an_object(value: Json, place: str) -> Body:
    """An object."""
    if not isinstance(value, dict):
        raise refusal(place, "must be an object.")
    return value


def texts(value: Json, place: str) -> list[str]:
    """A list of strings."""
    return [text(one, f"{place}[{i}]") for i, one in enumerate(items(value, place))]


def check_depth(body: Json) -> None:
    """Refuse a body that is nested deeper than `DEEPEST`, without going there by recursion."""
    level = [body]
    for _ in range(DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise refusal("the body", f"is nested deeper than {DEEPEST} levels. Flatten it.")


class Fields:
    """The fields of one object of a request. A null is a field that is not there."""

    def __init__(self, value: Json, place: str = "") -> None:
        found = an_object(value, place or "the body")
        self._rest = {name: one for name, one in found.items() if one is not None}
        self._place = place

    def at(self, name: str) -> str:
        """The place of a field, as errors name it."""
        return f"{self._place}.{name}" if self._place else name

    def take(self, name: str, check: Check[T]) -> T | None:
        """A field that may be missing."""
        value = self._rest.pop(name, None)
        return None if value is None else check(value, self.at(name))

    def need(self, name: str, check: Check[T]) -> T:
        """A field that must be there."""
        found = self.take(name, check)
        if found is None:
            raise refusal(self.at(name), "is missing.")
        return found

    def copy(self, to: Body, checks: dict[str, Check[Json]]) -> None:
        """Take fields that have the same name and meaning on the other side."""
        for name, check in checks.items():
            if (value := self.take(name, check)) is not None:
                to[name] = value

    def let_go(self, names: Iterable[str]) -> None:
        """Drop fields whose loss changes no answer."""
        for name in names:
            self._rest.pop(name, None)

    def expect(self, name: str, *allowed: Json, why: str) -> None:
        """Take a field that may only say what happens anyway."""
        value = self._rest.pop(name, None)
        if value is not None and value not in allowed:
            raise refusal(self.at(name), why)

    def done(self) -> None:
        """Refuse what was not taken."""
        if self._rest:
            name = next(iter(self._rest))
            raise refusal(
                self.at(name[:100]),
                "cannot be passed on to this model's server, which speaks another dialect. Leave "
                "it out, or ask a model whose server speaks yours.",
            )


def pieces(value: Json, place: str) -> list[tuple[Fields, str, str]]:
    """The parts of a content: of each its fields, its type and its place."""
    found = []
    for i, one in enumerate(items(value, place)):
        fields = Fields(one, f"{place}[{i}]")
        found.append((fields, fields.need("type", text), f"{place}[{i}]"))
    return found


def arguments_text(value: Json, place: str) -> str:
    """The arguments of a called tool, as the text that chat completions want."""
    try:
        return _encode(an_object(value, place)).decode()
    except (RecursionError, ValueError, TypeError) as error:
        raise refusal(place, "cannot be written as JSON.") from error


def arguments_object(value: str) -> Body:
    """The arguments of a called tool, from text. Raises ValueError where they are no object."""
    if not value.strip():
        return {}
    try:
        found = msgspec.json.decode(value)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def event(name: str, data: Body) -> bytes:
    """A server-sent event with a name."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _encode(data))


def unnamed_event(data: Body) -> bytes:
    """A server-sent event as chat completions have them."""
    return b"data: %s\n\n" % _encode(data)
