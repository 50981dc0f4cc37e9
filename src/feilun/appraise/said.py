"""Text out of whatever the answers of a log are made of."""

import json
from collections.abc import Sequence

from feilun.discovery.said import Said, content, message, text_of
from feilun.records import Json


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
