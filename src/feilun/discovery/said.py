"""Text out of a message and its content, and what stands beside the text."""

import json
from collections.abc import Mapping
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


def message(body: Mapping[str, Json]) -> Said:
    """The text of a message; one that calls tools has none."""
    if any(body.get(key) for key in ("tool_calls", "function_call")):
        return Said("", "tools")
    return content(body.get("content", body.get("value")))


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


def text_of(value: Json) -> str:
    """A value as text: strings as they are, numbers and objects as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
