"""Translators between what a client speaks and what a server speaks, by way of chat completions.

Where both speak the same nothing is translated: bytes pass. `between` gives the translation
of one request, or None where there is nothing to translate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from feilun.models.dialects import anthropic, messages, responses
from feilun.models.dialects.anthropic_stream import ChatStream
from feilun.models.dialects.errors import Client, error_body, error_event, error_said
from feilun.models.dialects.fields import Body, check_depth
from feilun.models.dialects.messages_stream import MessagesStream
from feilun.models.dialects.responses_stream import ResponsesStream
from feilun.models.wire import Dialect
from feilun.records import Json

__all__ = [
    "Client",
    "Stream",
    "Translation",
    "between",
    "error_body",
    "error_event",
    "error_said",
]


_SAME: frozenset[tuple[Client, Dialect]] = frozenset(
    {("chat", "openai"), ("messages", "anthropic")}
)


class Stream(Protocol):
    """Takes a server's stream and gives the client's. Both raise BrokenReply where it breaks.

    After the last piece `end` must be called: it gives the rest, or says what is missing.
    """

    def feed(self, piece: bytes) -> bytes:
        """What of the client's stream is whole with this piece."""

    def end(self) -> bytes:
        """The rest, after the last piece."""


@dataclass(frozen=True)
class Translation:
    """One request in the server's words, and how its answer is given in the client's."""

    request: Body
    response: Callable[[Json], Body]  # a body of status 200; raises BrokenReply
    stream: Callable[[], Stream]


def between(client: Client, server: Dialect, body: Json, model: str) -> Translation | None:
    """Translate a client's request for a server. Raises TaskError, naming the field, if it cannot.

    `model` is the name by which the client knows the model: it stands in the answer. The
    server's own name for it is set in `request` by the caller.
    """
    if (client, server) in _SAME:
        return None
    check_depth(body)
    asked = None if client == "chat" else _asked(client, body, model)
    if server == "openai":
        return asked
    if asked is None:
        return _served(body, count=_wants_usage(body))
    served = _served(asked.request, count=True)
    return Translation(
        served.request,
        lambda answer: asked.response(served.response(answer)),
        lambda: _Chain(served.stream(), asked.stream()),
    )


def _asked(client: Client, body: Json, model: str) -> Translation:
    """A client of another dialect, asking a server of chat completions."""
    if client == "messages":
        return Translation(
            messages.to_chat(body),
            lambda answer: messages.from_chat(answer, model),
            lambda: MessagesStream(model),
        )
    return Translation(
        responses.to_chat(body),
        lambda answer: responses.from_chat(answer, model, body),
        lambda: ResponsesStream(model, body),
    )


def _served(chat: Json, *, count: bool) -> Translation:
    """A chat completion, asked of a server of messages. A stream counts its tokens at its end."""
    return Translation(
        anthropic.from_chat_request(chat),
        anthropic.to_chat_response,
        lambda: ChatStream(include_usage=count),
    )


def _wants_usage(chat: Json) -> bool:
    options = chat.get("stream_options") if isinstance(chat, dict) else None
    return isinstance(options, dict) and options.get("include_usage") is True


class _Chain:
    """Two streams, the one into the other."""

    def __init__(self, first: Stream, second: Stream) -> None:
        self._first, self._second = first, second

    def feed(self, piece: bytes) -> bytes:
        """Through both."""
        return self._second.feed(self._first.feed(piece))

    def end(self) -> bytes:
        """The end of both."""
        rest = self._second.feed(self._first.end())
        return rest + self._second.end()
