"""What a finished answer said, read from its bytes after the fact: for the record of the call.

The gateway passes bytes through and looks at them once, here, off the hot path. Nothing
raises: bytes that are no whole answer give what could be read and `whole=False`. The message
is a chat message in all dialects; of several choices (`n`) it is the first.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from feilun.errors import BrokenReply
from feilun.models.sse.events import Event, Events
from feilun.records import Json

Spoken = Literal["chat", "responses", "messages", "embeddings"]
"""What a body is written in: the three dialects of chats, and vectors."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as the log keeps it. Counts are None where the server gave none."""

    message: Json = None  # {"role": "assistant", "content": ..., "tool_calls": [...]}
    tokens_in: int | None = None
    tokens_cached: int | None = None  # the part of tokens_in that a prompt cache held
    tokens_out: int | None = None
    model: str | None = None
    finish: str | None = None  # in the words of chat completions
    vectors: int | None = None  # how many, of an embeddings answer
    whole: bool = False
    error: str | None = None  # what the server itself said went wrong, cut to a line


NOTHING = Said()

Reader = Callable[[bytes], Said]


class Usage(msgspec.Struct):
    """The counts of chat completions and embeddings."""

    class Details(msgspec.Struct):
        """Of the prompt's tokens."""

        cached_tokens: int | None = None

    class Written(msgspec.Struct):
        """Of the completion's tokens."""

        reasoning_tokens: int | None = None

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Written | None = None

    @property
    def cached(self) -> int | None:
        """How many of the prompt's tokens a cache held."""
        return self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None

    @property
    def thought(self) -> int | None:
        """How many of the completion's tokens were thoughts."""
        details = self.completion_tokens_details
        return details.reasoning_tokens if details else None


class Trouble(msgspec.Struct):
    """A server's own error: an object with a message in all dialects, a bare string in some."""

    message: str | None = None
    type: str | None = None


def in_a_line(error: Trouble | str) -> str:
    """The words of a server's error, short enough for a record."""
    words = error if isinstance(error, str) else error.message or error.type or "unnamed"
    return " ".join(words.split())[:300]


def split(body: bytes) -> tuple[list[Event], bool]:
    """All events of a finished stream, and whether it is broken beyond splitting."""
    events = Events()
    try:
        found = events.feed(body)
        return found + events.end(), False
    except BrokenReply:
        return [], True
