"""A chat completion's stream, written as Anthropic's events."""

from feilun.errors import BrokenReply
from feilun.models.dialects.fields import Body, event
from feilun.models.dialects.messages import start, stop_reason, usage_of
from feilun.models.dialects.moves import Arguments, Begun, Called, Ended, Move, Moves, Text


class MessagesStream:
    """Takes chat chunks and gives events. Raises BrokenReply where the stream breaks.

    The prompt's tokens come with the last event: chat completions count at their end.
    """

    def __init__(self, model: str) -> None:
        self._moves = Moves()
        self._model = model
        self._open: str | None = None  # the type of the block that is being written
        self._index = -1

    def feed(self, piece: bytes) -> bytes:
        """The events that a piece of the stream makes."""
        return b"".join(self._write(move) for move in self._moves.feed(piece))

    def end(self) -> bytes:
        """The events at the stream's end. Raises BrokenReply where the answer is not whole."""
        return b"".join(self._write(move) for move in self._moves.end())

    def _write(self, move: Move) -> bytes:
        match move:
            case Begun(id):
                message = start(id, self._model)
                return event("message_start", {"type": "message_start", "message": message})
            case Text(said):
                opened = b"" if self._open == "text" else self._begin({"type": "text", "text": ""})
                return opened + self._delta({"type": "text_delta", "text": said})
            case Called(id, name):
                return self._begin({"type": "tool_use", "id": id, "name": name, "input": {}})
            case Arguments(said):
                if self._open != "tool_use":
                    raise BrokenReply("The server mixed a tool's arguments and text.")
                return self._delta({"type": "input_json_delta", "partial_json": said})
            case Ended():
                return self._close() + _closing(move)

    def _begin(self, block: Body) -> bytes:
        closed = self._close()
        self._open = block["type"]
        self._index += 1
        began = {"type": "content_block_start", "index": self._index, "content_block": block}
        return closed + event("content_block_start", began)

    def _delta(self, delta: Body) -> bytes:
        told = {"type": "content_block_delta", "index": self._index, "delta": delta}
        return event("content_block_delta", told)

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return event("content_block_stop", {"type": "content_block_stop", "index": self._index})


def _closing(ended: Ended) -> bytes:
    delta = {"stop_reason": stop_reason(ended.finish), "stop_sequence": None}
    told = {"type": "message_delta", "delta": delta, "usage": usage_of(ended.usage)}
    return event("message_delta", told) + event("message_stop", {"type": "message_stop"})
