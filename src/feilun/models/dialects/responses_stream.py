"""A chat completion's stream, written as the events of OpenAI's responses."""

from feilun.errors import BrokenReply
from feilun.models.dialects.fields import Body, event
from feilun.models.dialects.moves import Arguments, Begun, Called, Ended, Move, Moves, Text
from feilun.models.dialects.responses import (
    call_item,
    ending,
    message_item,
    refusal_part,
    start,
    text_part,
)


class ResponsesStream:
    """Takes chat chunks and gives events. Raises BrokenReply where the stream breaks."""

    def __init__(self, model: str, asked: Body) -> None:
        self._moves = Moves()
        self._model = model
        self._asked = asked
        self._response: Body = {}
        self._id = ""
        self._number = 0  # of the next event
        self._item: Body | None = None  # the item that is being written
        self._refusing = False
        self._said: list[str] = []
        self._done: list[Body] = []

    def feed(self, piece: bytes) -> bytes:
        """The events that a piece of the stream makes."""
        return b"".join(self._write(move) for move in self._moves.feed(piece))

    def end(self) -> bytes:
        """The events at the stream's end. Raises BrokenReply where the answer is not whole."""
        return b"".join(self._write(move) for move in self._moves.end())

    def _write(self, move: Move) -> bytes:
        match move:
            case Begun(id, created):
                self._id = id
                self._response = start(id, created, self._model, self._asked)
                return self._whole("response.created") + self._whole("response.in_progress")
            case Text(said, refusing):
                return self._begin_text(refusing) + self._more_text(said)
            case Called(id, name):
                return self._begin_call(id, name)
            case Arguments(said):
                return self._more_arguments(said)
            case Ended(finish, usage):
                closed = self._close()
                self._response |= {"output": self._done} | ending(finish, usage)
                return closed + self._whole(f"response.{self._response['status']}")

    def _event(self, kind: str, told: Body) -> bytes:
        self._number += 1
        return event(kind, {"type": kind, "sequence_number": self._number - 1, **told})

    def _whole(self, kind: str) -> bytes:
        return self._event(kind, {"response": self._response})

    def _of_item(self, kind: str, told: Body) -> bytes:
        """An event of the item that is being written."""
        item = self._item or {}
        return self._event(kind, {"item_id": item["id"], "output_index": len(self._done), **told})

    def _added(self, item: Body) -> bytes:
        self._item, self._said = item, []
        return self._event(
            "response.output_item.added", {"output_index": len(self._done), "item": item}
        )

    # A message

    def _begin_text(self, refusing: bool) -> bytes:
        if self._item and self._item["type"] == "message" and self._refusing == refusing:
            return b""
        closed, self._refusing = self._close(), refusing
        added = self._added(message_item(self._id, [], "in_progress"))
        return closed + added + self._part_event("response.content_part.added", "")

    def _more_text(self, said: str) -> bytes:
        self._said.append(said)
        told: Body = {"content_index": 0, "delta": said}
        if self._refusing:
            return self._of_item("response.refusal.delta", told)
        return self._of_item("response.output_text.delta", {**told, "logprobs": []})

    def _part_event(self, kind: str, said: str) -> bytes:
        return self._of_item(kind, {"content_index": 0, "part": self._part(said)})

    def _part(self, said: str) -> Body:
        return refusal_part(said) if self._refusing else text_part(said)

    def _close_text(self, said: str) -> bytes:
        if self._refusing:
            done = self._of_item("response.refusal.done", {"content_index": 0, "refusal": said})
        else:
            told = {"content_index": 0, "text": said, "logprobs": []}
            done = self._of_item("response.output_text.done", told)
        return done + self._part_event("response.content_part.done", said)

    # A called function

    def _begin_call(self, id: str, name: str) -> bytes:
        closed = self._close()
        return closed + self._added(self._call(id, name, "", "in_progress"))

    def _call(self, id: str, name: str, arguments: str, status: str) -> Body:
        return call_item(self._id, len(self._done), id, name, arguments, status)

    def _more_arguments(self, said: str) -> bytes:
        if not self._item or self._item["type"] != "function_call":
            raise BrokenReply("The server mixed a tool's arguments and text.")
        self._said.append(said)
        return self._of_item("response.function_call_arguments.delta", {"delta": said})

    # The end of either

    def _close(self) -> bytes:
        item = self._item
        if item is None:
            return b""
        said = "".join(self._said)
        if item["type"] == "message":
            closed = self._close_text(said)
            item = {**item, "content": [self._part(said)], "status": "completed"}
        else:
            told = {"name": item["name"], "arguments": said}
            closed = self._of_item("response.function_call_arguments.done", told)
            item = {**item, "arguments": said, "status": "completed"}
        told = {"output_index": len(self._done), "item": item}
        closed += self._event("response.output_item.done", told)
        self._item = None
        self._done.append(item)
        return closed
