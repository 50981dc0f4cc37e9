"""Reading finished answers of OpenAI's responses, as chat messages."""

import msgspec

from feilun.errors import BrokenReply
from feilun.models.sse.events import Event, Events
from feilun.models.sse.said import NOTHING, Said, Trouble, in_a_line, split
from feilun.records import Json


class Usage(msgspec.Struct):
    """The counts of a response."""

    class Details(msgspec.Struct):
        """Of the input's tokens."""

        cached_tokens: int | None = None

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: Details | None = None


class _Why(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    output: list[dict[str, Json]] | None = None
    status: str | None = None
    model: str | None = None
    usage: Usage | None = None
    error: Trouble | None = None
    incomplete_details: _Why | None = None


class _Kind(msgspec.Struct):
    """A stream's event: which it is, and what it adds. The rest is skipped, not built."""

    type: str
    response: msgspec.Raw = msgspec.Raw()
    item: dict[str, Json] | None = None
    delta: str | None = None
    message: str | None = None
    error: Trouble | None = None


_response = msgspec.json.Decoder(_Response)
_kind = msgspec.json.Decoder(_Kind)

ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""The last events of a stream: each brings the whole response."""


def read_body(body: bytes | msgspec.Raw) -> Said:
    """A response. Raises ValueError for bytes that are none."""
    response = _response.decode(body)
    if response.output is None:
        return Said(error=in_a_line(response.error)) if response.error else NOTHING
    usage = response.usage or Usage()
    details = usage.input_tokens_details
    return Said(
        message=chat_message(response.output),
        tokens_in=usage.input_tokens,
        tokens_cached=details.cached_tokens if details else None,
        tokens_out=usage.output_tokens,
        model=response.model,
        finish=_finish(response),
        whole=response.status in ("completed", "incomplete"),
        error=in_a_line(response.error) if response.error else None,
    )


def read_stream(body: bytes) -> Said:
    """A stream. Its last event holds all of it; without one, what its pieces said so far."""
    events = Events()
    try:
        last = events.feed(body.rstrip().rpartition(b"\n\n")[2] + b"\n\n")
        heard = _kind.decode(last[-1].data if last else b"")
        if heard.type in ENDS:
            return read_body(heard.response)
    except (ValueError, RecursionError, BrokenReply):
        pass
    return _so_far(split(body)[0])


def _so_far(events: list[Event]) -> Said:
    items: list[dict[str, Json]] = []
    texts: list[str] = []
    error = None
    for event in events:
        try:
            heard = _kind.decode(event.data)
        except (ValueError, RecursionError):
            break
        if heard.type == "response.output_item.done" and heard.item is not None:
            items.append(heard.item)
            texts.clear()  # the item repeats them
        elif heard.type == "response.output_text.delta" and heard.delta:
            texts.append(heard.delta)
        elif heard.type == "error":
            error = in_a_line(heard.error or heard.message or "unnamed")
    if texts:
        items.append({"type": "message", "content": [_text("".join(texts))]})
    return Said(message=chat_message(items) if items else None, error=error)


def _text(text: str) -> dict[str, Json]:
    return {"type": "output_text", "text": text}


def _finish(response: _Response) -> str | None:
    if response.status == "incomplete":
        why = response.incomplete_details
        return "content_filter" if why and why.reason == "content_filter" else "length"
    if response.status != "completed":
        return None
    called = any(item.get("type") == "function_call" for item in response.output or ())
    return "tool_calls" if called else "stop"


def chat_message(output: list[dict[str, Json]]) -> dict[str, Json]:
    """The items of a response as one chat message: texts joined, functions called."""
    parts = [
        part
        for item in output
        if item.get("type") == "message" and isinstance(item.get("content"), list)
        for part in item["content"]
        if isinstance(part, dict)
    ]
    text = "".join(str(part.get("text") or "") for part in parts)
    refusal = "".join(str(part.get("refusal") or "") for part in parts)
    calls = [_call(item) for item in output if item.get("type") == "function_call"]
    message: dict[str, Json] = {
        "role": "assistant",
        "content": None if calls and not text else text,
    }
    if refusal:
        message["refusal"] = refusal
    if calls:
        message["tool_calls"] = calls
    return message


def _call(item: dict[str, Json]) -> dict[str, Json]:
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    return {"id": item.get("call_id"), "type": "function", "function": function}
