"""A chat completion's stream as moves: what the writers of other dialects act on, one by one."""

from dataclasses import dataclass

import msgspec

from feilun.errors import BrokenReply
from feilun.models.sse.chat import Chunk, ToolPiece
from feilun.models.sse.events import Event, Events
from feilun.models.sse.said import Usage, in_a_line


@dataclass(frozen=True, slots=True)
class Begun:
    """The first chunk has come."""

    id: str
    created: int


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer, or of the words in which the model declines."""

    said: str
    refusal: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """A tool is called; its arguments follow."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """More of the arguments of the tool that was called last."""

    said: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is whole."""

    finish: str
    usage: Usage


Move = Begun | Text | Called | Arguments | Ended

_chunk = msgspec.json.Decoder(Chunk)


class Moves:
    """Reads a chat stream's bytes. Raises BrokenReply for what is no such stream.

    The first choice counts, and thoughts are passed over: clients of the other dialects get
    a model's thoughts only where they have asked for them.
    """

    def __init__(self) -> None:
        self._events = Events()
        self._begun = False
        self._tool, self._tool_id = -1, ""
        self._finish: str | None = None
        self._usage = Usage()
        self._ended = False

    def feed(self, piece: bytes) -> list[Move]:
        """The moves that are whole with this piece."""
        return [move for event in self._events.feed(piece) for move in self._moves(event)]

    def end(self) -> list[Move]:
        """The moves at the stream's end. Raises BrokenReply where the answer is not whole."""
        moves = [move for event in self._events.end() for move in self._moves(event)]
        moves += self._end()
        if not self._ended:
            raise BrokenReply("The server's stream ended before its answer was whole. Ask again.")
        return moves

    def _moves(self, event: Event) -> list[Move]:
        if self._ended:
            return []
        if event.data == b"[DONE]":
            self._finish = self._finish or "stop"
            return self._end()
        try:
            chunk = _chunk.decode(event.data)
        except (ValueError, RecursionError) as error:
            raise BrokenReply("The server sent an event that is no chat chunk.") from error
        if chunk.error is not None:
            raise BrokenReply(f"The server broke off its answer: {in_a_line(chunk.error)}")
        return self._of(chunk)

    def _of(self, chunk: Chunk) -> list[Move]:
        moves: list[Move] = []
        if not self._begun:
            self._begun = True
            moves.append(Begun(chunk.id or "", int(chunk.created or 0)))
        self._usage = chunk.usage or self._usage
        for piece in chunk.choices or ():
            if piece.index:
                continue
            if piece.delta is not None:
                if piece.delta.content:
                    moves.append(Text(piece.delta.content))
                if piece.delta.refusal:
                    moves.append(Text(piece.delta.refusal, refusal=True))
                for tool in piece.delta.tool_calls or ():
                    moves += self._of_tool(tool)
            self._finish = piece.finish_reason or self._finish
        return moves

    def _of_tool(self, tool: ToolPiece) -> list[Move]:
        moves: list[Move] = []
        function = tool.function
        # Some servers number no calls: then another id is another call.
        another = tool.index > self._tool or (tool.id and tool.id != self._tool_id)
        if another and function is not None and function.name:
            self._tool, self._tool_id = tool.index, tool.id or f"call_{tool.index}"
            moves.append(Called(self._tool_id, function.name))
        elif tool.index != self._tool:
            raise BrokenReply("The server mixed the pieces of two tool calls.")
        if function is not None and function.arguments:
            moves.append(Arguments(function.arguments))
        return moves

    def _end(self) -> list[Move]:
        """The last move, once the reason is known: usage may come after it."""
        if self._ended or self._finish is None or not self._begun:
            return []
        self._ended = True
        called = self._tool >= 0 and self._finish in ("stop", "function_call")
        return [Ended("tool_calls" if called else self._finish, self._usage)]
