"""Answers as bytes: streams split into events, and what a finished answer said."""

from feilun.models.sse import chat, messages, responses
from feilun.models.sse.events import Event, Events
from feilun.models.sse.said import NOTHING, Reader, Said, Spoken

__all__ = ["Event", "Events", "Said", "Spoken", "gather"]

_BODIES: dict[Spoken, Reader] = {
    "chat": chat.read_body,
    "responses": responses.read_body,
    "messages": messages.read_body,
    "embeddings": chat.read_vectors,
}
_STREAMS: dict[Spoken, Reader] = {
    "chat": chat.read_stream,
    "responses": responses.read_stream,
    "messages": messages.read_stream,
    "embeddings": lambda _: NOTHING,
}


def gather(spoken: Spoken, body: bytes) -> Said:
    """What an answer said, from all of its bytes: a JSON body, or a stream. Never raises."""
    readers = _BODIES if body.lstrip()[:1] in (b"{", b"[") else _STREAMS
    try:
        return readers[spoken](body)
    except (ValueError, RecursionError):
        return NOTHING
