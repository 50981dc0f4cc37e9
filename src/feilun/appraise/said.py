"""Text out of whatever a message, a content or a response is made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feilun.records import Json

_MEDIA = {
    "image_url",
    "input_image",
    "image",
    "input_audio",
    "audio",
    "file",
    "input_file",
    "video",
}
TOOLS = {"tool_calls", "function_call", "tool_use", "tool_result", "tool", "function"}


@dataclass(frozen=True, slots=True)
class Said:
    """Text out of messages or of a response, and what stood beside it."""

    text: str
    why: str | None = None


def answer(value: Json) -> Said:
    """The text of an answer in any of the known shapes."""
    value = opened(value) if isinstance(value, str) and '"choices"' in value else value
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return _items(value)
    if not isinstance(value, dict):
        return Said(text_of(value))
    if isinstance(value.get("body"), dict):
        return answer(value["body"])
    choices = value.get("choices")
    if isinstance(choices, list):
        first = choices[0] if choices and isinstance(choices[0], dict) else {}
        inner = first.get("message")
        return message(inner) if isinstance(inner, dict) else Said(text_of(first.get("text")))
    if isinstance(value.get("message"), dict):
        return message(value["message"])
    if isinstance(value.get("output_text"), str):
        return Said(value["output_text"])
    if isinstance(value.get("output"), list):
        return _items(value["output"])
    if "content" in value and ("role" in value or isinstance(value["content"], list)):
        return message(value)
    return Said(text_of(value))


def message(body: Mapping[str, Json]) -> Said:
    """The text of a message; one that calls tools has none."""
    if any(body.get(key) for key in ("tool_calls", "function_call")):
        return Said("", "tools")
    return content(body.get("content", body.get("value")))


def _items(items: Sequence[Json]) -> Said:
    """The items of a Responses answer, the parts of a content, or a list of messages."""
    parts = [item for item in items if isinstance(item, dict)]
    if any(part.get("type") in ("function_call", "tool_use") for part in parts):
        return Said("", "tools")
    messages = [p for p in parts if "content" in p]
    if messages:
        return message(messages[-1])
    if any("type" in part and "text" in part for part in parts):
        return content(items)
    return Said(text_of(list(items)))


def content(value: Json) -> Said:
    """Text of a message's content: a string, or a list of parts."""
    if value is None:
        return Said("")
    if not isinstance(value, list):
        return Said(text_of(value))
    texts, why = [], None
    for part in value:
        kind = part.get("type") if isinstance(part, dict) else None
        kind = kind if isinstance(kind, str) else None
        if kind in _MEDIA:
            why = "media"
        elif kind in TOOLS:
            why = why or "tools"
        elif isinstance(part, dict):
            texts.append(text_of(part.get("text", "")))
        else:
            texts.append(text_of(part))
    return Said("\n".join(texts), why)


def opened(value: Json) -> Json:
    """A JSON object that was logged as text, read; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") and '"' in value:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def is_chat(value: Json) -> bool:
    """Whether a value is a list of messages."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(m, dict) and ("role" in m or "from" in m) for m in value)
    )


def text_of(value: Json) -> str:
    """A value as text: strings as they are, numbers and objects as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
