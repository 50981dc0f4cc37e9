"""A raw request as discovery sees it: what stands fixed before the text, the text, and the form.

Three shapes are read: chat completions, responses, and Anthropic's messages. This runs for
every raw request that the gateway gets, so it looks at little and copies nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple

from feilun.discovery.why_not import WhyNot
from feilun.records import Json

LONG = 32_768  # characters of a text: longer ones go to the model


class Asked(NamedTuple):
    """What a request asks. `format` is the JSON Schema that its answer must keep, if it says so.

    `bar` is why it is more than one question with one answer; its text may then be missing.
    """

    system: str
    text: str
    format: dict[str, Json] | None = None
    bar: WhyNot | None = None


_BARS = {
    "tools": WhyNot.TOOLS,
    "functions": WhyNot.TOOLS,
    "mcp_servers": WhyNot.TOOLS,
    "web_search_options": WhyNot.TOOLS,
    "audio": WhyNot.MEDIA,
    "n": WhyNot.SEVERAL,
    "best_of": WhyNot.SEVERAL,
    "logprobs": WhyNot.SEVERAL,
    "top_logprobs": WhyNot.SEVERAL,
    "logit_bias": WhyNot.SEVERAL,
    "include": WhyNot.SEVERAL,
    "previous_response_id": WhyNot.STATE,
    "conversation": WhyNot.STATE,
    "background": WhyNot.STATE,
    "prompt": WhyNot.STATE,  # a prompt that the server has kept; it stands for text of its own
    "container": WhyNot.STATE,
}
_BARRING = _BARS.keys()
_TEXTS = ("text", "input_text")
_SYSTEM = ("system", "developer")
_NAMED = ("response_format", "text", "output_format", "output_config")


def read_request(request: Mapping[str, Json]) -> Asked:
    """What a request asks, in any of the three shapes. Never raises, whatever it is given."""
    bar = None if _BARRING.isdisjoint(request) else _barred(request)
    messages = request.get("messages")
    if messages is None:
        messages = request.get("input")
        before = request.get("instructions")
    else:
        before = request.get("system")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if not isinstance(messages, list) or not messages:
        return Asked("", "", None, bar or WhyNot.NO_TEXT)
    asked = _turns(messages, before)
    if isinstance(asked, WhyNot):
        return Asked(_system(messages, before), "", None, bar or asked)
    system, text = asked
    if bar is None and (len(text) > LONG or len(system) > LONG):
        bar = WhyNot.TOO_LONG
    elif bar is None and (not text or text.isspace()):
        bar = WhyNot.NO_TEXT
    return Asked(system, text, _format(request), bar)


def _barred(request: Mapping[str, Json]) -> WhyNot | None:
    for key in _BARRING & request.keys():
        value = request[key]
        if value and not (key in ("n", "best_of") and value == 1):
            return _BARS[key]
    return None


def _turns(messages: list[Json], before: Json) -> tuple[str, str] | WhyNot:
    """The system prompt and the one text of the user, or why there are no such two."""
    fixed = [] if before is None else [_text(before)]
    text: str | None = None
    for message in messages:
        if not isinstance(message, dict):
            return WhyNot.NO_TEXT
        role = message.get("role")
        if text is not None or (role != "user" and role not in _SYSTEM):
            return WhyNot.TOOLS if role in ("tool", "function") else WhyNot.TURNS
        said = _text(message.get("content"))
        if said is None:
            return WhyNot.MEDIA
        if role == "user":
            text = said
        else:
            fixed.append(said)
    if text is None or None in fixed:
        return WhyNot.NO_TEXT
    return "\n".join(part for part in fixed if part), text


def _system(messages: list[Json], before: Json) -> str:
    """What stands before the first turn of a request that is barred, as far as it can be read."""
    fixed = [_text(before) or ""] if before is not None else []
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in _SYSTEM:
            break
        fixed.append(_text(message.get("content")) or "")
    return "\n".join(part for part in fixed if part)[:LONG]


def _text(content: Json) -> str | None:
    """The text of a content, or None where it is made of more than text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) else None
        if not isinstance(text, str) or part.get("type") not in _TEXTS:
            return None
        texts.append(text)
    return "\n".join(texts)


def _format(request: Mapping[str, Json]) -> dict[str, Json] | None:
    """The JSON Schema that the answer must keep, wherever the three shapes say it."""
    for key in _NAMED:
        found = request.get(key)
        if not isinstance(found, dict):
            continue
        if key in ("text", "output_config"):
            found = found.get("format")
            if not isinstance(found, dict):
                continue
        kind = found.get("type")
        if kind == "json_object":
            return {"type": "object"}
        if kind == "json_schema":
            inner = found.get("json_schema")
            schema = inner.get("schema") if isinstance(inner, dict) else found.get("schema")
            return schema if isinstance(schema, dict) else {}
    return None
