"""Reading finished answers of Anthropic's messages, as chat messages."""

from collections.abc import Iterator

import msgspec

from feilun.models.sse.said import NOTHING, Said, Trouble, in_a_line, split
from feilun.records import Json

FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Why a message ended, in the words of chat completions."""


class Usage(msgspec.Struct):
    """Anthropic counts what a cache held beside the input, and not in it."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None

    @property
    def read(self) -> int | None:
        """All tokens of the prompt."""
        if self.input_tokens is None:
            return None
        cached = (self.cache_read_input_tokens or 0) + (self.cache_creation_input_tokens or 0)
        return self.input_tokens + cached


class _Reply(msgspec.Struct):
    id: str | None = None
    content: list[dict[str, Json]] | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Usage | None = None
    error: Trouble | None = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class Heard(msgspec.Struct):
    """One event of a message's stream."""

    type: str
    index: int = 0
    message: _Reply | None = None
    content_block: dict[str, Json] | None = None
    delta: _Delta | None = None
    usage: Usage | None = None
    error: Trouble | None = None


_reply = msgspec.json.Decoder(_Reply)
_event = msgspec.json.Decoder(Heard)
_events = msgspec.json.Decoder(list[Heard])
_encode = msgspec.json.Encoder().encode


def read_body(body: bytes) -> Said:
    """A message. Raises ValueError for bytes that are none."""
    reply = _reply.decode(body)
    if reply.error is not None:
        return Said(error=in_a_line(reply.error))
    if reply.content is None:
        return NOTHING
    return _said(reply, reply.content, whole=True)


def read_stream(body: bytes) -> Said:
    """A stream of events, put together. A bad event ends it: what came before it is kept."""
    reply, blocks, whole = _Reply(), dict[int, dict[str, Json]](), False
    for heard in _plain(body) or _readable(body):
        _take(reply, blocks, heard)
        if heard.type == "message_stop":
            whole = reply.error is None
            break
    content = [_joined(blocks[index]) for index in sorted(blocks)]
    return _said(reply, content, whole=whole)


def _plain(body: bytes) -> list[Heard] | None:
    """The events of a stream that is written as Anthropic writes it, decoded in one call."""
    if b"\r" in body or body.count(b"\ndata:") != body.count(b"\ndata: "):
        return None
    data = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    try:
        return _events.decode(b"[" + b",".join(data) + b"]")
    except (ValueError, RecursionError):
        return None


def _readable(body: bytes) -> Iterator[Heard]:
    """The events of any stream, up to the first that is none."""
    for event in split(body)[0]:
        try:
            yield _event.decode(event.data)
        except (ValueError, RecursionError):
            return


def _take(reply: _Reply, blocks: dict[int, dict[str, Json]], heard: Heard) -> None:
    if heard.message is not None:
        reply.model, reply.usage = heard.message.model, heard.message.usage
    elif heard.content_block is not None:
        blocks[heard.index] = {**heard.content_block, "pieces": []}
    elif heard.type == "content_block_delta" and heard.delta and heard.index in blocks:
        delta = heard.delta
        blocks[heard.index]["pieces"].append(delta.text or delta.thinking or delta.partial_json)
    elif heard.type == "message_delta" and heard.delta:
        reply.stop_reason = heard.delta.stop_reason
        reply.usage = newer(reply.usage or Usage(), heard.usage or Usage())
    elif heard.error is not None:
        reply.error = heard.error


def newer(first: Usage, last: Usage) -> Usage:
    """The counts at the end, and those at the start where the end repeats none."""
    return Usage(
        **{
            name: first_count if (count := getattr(last, name)) is None else count
            for name in Usage.__struct_fields__
            for first_count in [getattr(first, name)]
        }
    )


def _joined(block: dict[str, Json]) -> dict[str, Json]:
    """A streamed block as it stands in a whole message."""
    text = "".join(block.pop("pieces"))
    match block.get("type"):
        case "text":
            block["text"] = str(block.get("text") or "") + text
        case "thinking":
            block["thinking"] = str(block.get("thinking") or "") + text
        case "tool_use":
            block["input"] = msgspec.Raw(text.encode() or b"{}")
    return block


def _said(reply: _Reply, content: list[dict[str, Json]], *, whole: bool) -> Said:
    usage = reply.usage or Usage()
    return Said(
        message=chat_message(content) if content or reply.stop_reason else None,
        tokens_in=usage.read,
        tokens_cached=usage.cache_read_input_tokens,
        tokens_out=usage.output_tokens,
        model=reply.model,
        finish=FINISHES.get(reply.stop_reason or "", reply.stop_reason),
        whole=whole,
        error=in_a_line(reply.error) if reply.error else None,
    )


def chat_message(content: list[dict[str, Json]]) -> dict[str, Json]:
    """The blocks of a message as one chat message: texts joined, tools called, thoughts aside."""
    calls = [_call(block) for block in content if block.get("type") == "tool_use"]
    text = _texts(content, "text")
    message: dict[str, Json] = {
        "role": "assistant",
        "content": None if calls and not text else text,
    }
    if thought := _texts(content, "thinking"):
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = calls
    return message


def _texts(content: list[dict[str, Json]], kind: str) -> str:
    return "".join(str(block.get(kind) or "") for block in content if block.get("type") == kind)


def _call(block: dict[str, Json]) -> dict[str, Json]:
    arguments = _encode(block.get("input") or {}).decode("utf-8", "replace")
    function = {"name": str(block.get("name") or ""), "arguments": arguments}
    return {"id": block.get("id"), "type": "function", "function": function}
