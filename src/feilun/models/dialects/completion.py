"""A whole chat completion, read with care: what the writers of other dialects need of it."""

from dataclasses import dataclass

import msgspec

from feilun.errors import BrokenReply
from feilun.models.sse.said import Usage
from feilun.records import Json


@dataclass(frozen=True)
class Tool:
    """A tool that the model called; its arguments are text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Completion:
    """The first choice of a chat completion."""

    id: str
    created: int
    text: str
    refusal: str
    calls: tuple[Tool, ...]
    finish: str
    usage: Usage


class _Function(msgspec.Struct):
    name: str
    arguments: str | None = None


class _Call(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Response(msgspec.Struct):
    choices: list[_Choice]
    id: str | None = None
    created: float | None = None
    usage: Usage | None = None


def read_completion(response: Json) -> Completion:
    """What a chat completion says. Raises BrokenReply for what is none."""
    try:
        found = msgspec.convert(response, _Response)
        choice = found.choices[0]
    except (ValueError, IndexError, RecursionError) as error:
        raise BrokenReply(
            "The server answered with something else than a chat completion. Check its URL and "
            "its dialect with `feilun engines check`."
        ) from error
    calls = tuple(
        Tool(call.id or f"call_{i}", call.function.name, call.function.arguments or "")
        for i, call in enumerate(choice.message.tool_calls or ())
    )
    finish = choice.finish_reason or "stop"
    return Completion(
        id=found.id or "",
        created=int(found.created or 0),
        text=choice.message.content or "",
        refusal=choice.message.refusal or "",
        calls=calls,
        finish="tool_calls" if calls and finish in ("stop", "function_call") else finish,
        usage=found.usage or Usage(),
    )
