"""Anthropic's events, written as a chat completion's stream."""

import msgspec

from feilun.errors import BrokenReply
from feilun.models.dialects.anthropic import finish_of, head_of, usage_of
from feilun.models.dialects.fields import Body, unnamed_event
from feilun.models.sse.events import Event, Events
from feilun.models.sse.messages import Heard, Usage, newer
from feilun.models.sse.said import in_a_line

_heard = msgspec.json.Decoder(Heard)


class ChatStream:
    """Takes Anthropic's events and gives chat chunks. Raises BrokenReply where they break.

    With `include_usage` the tokens come in a chunk of their own before the end.
    """

    def __init__(self, *, include_usage: bool) -> None:
        self._events = Events()
        self._include_usage = include_usage
        self._head: Body | None = None
        self._usage = Usage()
        self._tools = -1
        self._stop: str | None = None
        self._ended = False

    def feed(self, piece: bytes) -> bytes:
        """The chunks that a piece of the stream makes."""
        return b"".join(self._write(event) for event in self._events.feed(piece))

    def end(self) -> bytes:
        """The chunks at the stream's end. Raises BrokenReply where the answer is not whole."""
        rest = b"".join(self._write(event) for event in self._events.end())
        if not self._ended:
            raise BrokenReply("The server's stream ended before its answer was whole. Ask again.")
        return rest

    def _write(self, event: Event) -> bytes:
        if self._ended:
            return b""
        try:
            heard = _heard.decode(event.data)
        except (ValueError, RecursionError) as error:
            raise BrokenReply("The server sent an event that is none of a message.") from error
        match heard.type:
            case "message_start":
                return self._begin(heard)
            case "content_block_start":
                return self._tool(heard)
            case "content_block_delta":
                return self._delta(heard)
            case "message_delta":
                self._stop = heard.delta.stop_reason if heard.delta else None
                self._usage = newer(self._usage, heard.usage or Usage())
                return b""
            case "message_stop":
                return self._end()
            case "error":
                said = in_a_line(heard.error) if heard.error else "unnamed"
                raise BrokenReply(f"The server broke off its answer: {said}")
            case _:  # pings, the ends of blocks, and what is to come: its makers say to skip it
                return b""

    def _begin(self, heard: Heard) -> bytes:
        message = heard.message
        if message is None:
            raise BrokenReply("The server began a message without a message.")
        self._usage = message.usage or Usage()
        self._head = head_of("chat.completion.chunk", message.id or "", message.model or "")
        return self._chunk({"role": "assistant", "content": ""})

    def _tool(self, heard: Heard) -> bytes:
        block = heard.content_block or {}
        if block.get("type") != "tool_use":
            return b""
        self._tools += 1
        function = {"name": block.get("name"), "arguments": ""}
        return self._tool_chunk({"id": block.get("id"), "type": "function", "function": function})

    def _delta(self, heard: Heard) -> bytes:
        delta = heard.delta
        if delta is None:
            return b""
        if delta.type == "text_delta":
            return self._chunk({"content": delta.text})
        if delta.type == "thinking_delta":
            return self._chunk({"reasoning_content": delta.thinking})
        if delta.type == "input_json_delta" and self._tools >= 0:
            return self._tool_chunk({"function": {"arguments": delta.partial_json}})
        return b""

    def _tool_chunk(self, call: Body) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._tools, **call}]})

    def _chunk(self, delta: Body, finish: str | None = None) -> bytes:
        if self._head is None:
            raise BrokenReply("The server sent a part of a message before its start.")
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return unnamed_event({**self._head, "choices": [choice]})

    def _end(self) -> bytes:
        last = self._chunk({}, finish_of(self._stop))
        if self._include_usage:
            counted = {**(self._head or {}), "choices": [], "usage": usage_of(self._usage)}
            last += unnamed_event(counted)
        self._ended = True
        return last + b"data: [DONE]\n\n"
