"""One JSON object of a log becomes a row, in the shapes that people really have.

A request and its response (OpenAI's, LiteLLM's, Langfuse's, Anthropic's, a batch's), a
fine-tuning example whose last message is the assistant's, or plain input and output.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from feilun.appraise import fields
from feilun.appraise.fields import Choice
from feilun.appraise.row import Broken, Row, clean
from feilun.records import Json

LONG = 32_768  # characters of one input or answer: longer ones go to the teacher
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
_TOOLS = {"tool_calls", "function_call", "tool_use", "tool_result", "tool", "function"}
_ENVELOPES = (
    "request",
    "body",
    "input",
    "inputs",
    "kwargs",
    "request_body",
    "requestBody",
    "params",
)


@dataclass(frozen=True, slots=True)
class Said:
    """Text out of messages or of a response, and what stood beside it."""

    text: str
    why: str | None = None


def parse(line: int, text: str, choice: Choice) -> Row | Broken:
    """A row of a line of JSONL, or what is wrong with it."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return Broken(line, "not_json")
    if not isinstance(body, dict):
        return Broken(line, "not_an_object")
    try:
        return _row(line, body, choice)
    except RecursionError:
        return Broken(line, "not_json")


def _row(line: int, body: dict[str, Json], choice: Choice) -> Row | Broken:
    if _failed(body):
        return Broken(line, "failed_call")
    asked = _asked(body, choice)
    if asked is None:
        return Broken(line, "no_input")
    context, question, last = asked
    answered = _answered(body, choice) or last
    gold = _plain(_named(body, choice.gold) if choice.gold else _gold(body))
    why = question.why or (answered.why if answered else None)
    if not question.text.strip() and why is None:
        return Broken(line, "no_input")
    if why is None and gold is None and (answered is None or not answered.text.strip()):
        return Broken(line, "no_answer")
    if max(len(question.text), len(context)) > LONG:
        why = why or "too_long"
    return Row(
        line=line,
        text=clean(question.text) if why is None else "",
        context=clean(context[:LONG]),
        answer=clean(answered.text.strip()[:LONG]) or None if answered else None,
        gold=clean(gold)[:LONG] if gold else None,
        task=_task(body, choice),
        why=why,
        **_facts(body),
    )


def _failed(body: Mapping[str, Json]) -> bool:
    response = body.get("response")
    status = response.get("status_code") if isinstance(response, dict) else body.get("status_code")
    if isinstance(status, int) and status >= 400:
        return True
    inner = response.get("error") if isinstance(response, dict) else None
    return bool(body.get("error")) or bool(inner)


# What was asked


def _asked(body: Mapping[str, Json], choice: Choice) -> tuple[str, Said, Said | None] | None:
    """Context, question and, of a fine-tuning example, the answer. None: nothing was asked."""
    if choice.input:
        value = _named(body, choice.input)
        return None if value is None else _question(value, body)
    for source in _sources(body):
        for key in ("messages", "prompt", "input", "inputs", "conversations"):
            messages = _opened(source.get(key))
            if _is_chat(messages):
                return _conversation(messages, source)
    for source in _sources(body):
        value = fields.get(source, "input")
        if value is not None:
            return _question(value, source)
    alone = fields.get(body, "system")  # an instruction without an input is the input
    return None if alone is None else ("", Said(_text(alone)), None)


def _sources(body: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """The object itself and the envelopes in which a request may lie, two deep."""
    yield body
    for key in _ENVELOPES:
        inner = _opened(body.get(key))
        if isinstance(inner, dict):
            yield inner
            deeper = _opened(inner.get("body"))
            if isinstance(deeper, dict):
                yield deeper


def _opened(value: Json) -> Json:
    """A JSON object that was logged as text, read; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") and '"' in value:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _is_chat(value: Json) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(m, dict) and ("role" in m or "from" in m) for m in value)
    )


def _question(value: Json, source: Mapping[str, Json]) -> tuple[str, Said, Said | None]:
    if _is_chat(value):
        return _conversation(value, source)
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    system = fields.get(source, "system")
    return ("" if system is None else _text(system)), Said(_text(value)), None


def _conversation(
    messages: Sequence[dict[str, Json]], source: Mapping[str, Json]
) -> tuple[str, Said, Said | None]:
    """The last thing said by the user is the question; all before it is context."""
    turns = [(str(m.get("role", m.get("from"))), m) for m in messages]
    last = None
    if turns[-1][0] in ("assistant", "gpt", "model"):
        last = _message(turns[-1][1])
        turns = turns[:-1]
    why = _why(turns)
    if not turns:
        return "", Said("", why), last
    system = source.get("system") or source.get("instructions")
    before = [_text(system)] if system else []
    for role, message in turns[:-1]:
        said = _content(message.get("content", message.get("value"))).text
        before.append(said if role in ("system", "developer") else f"{role}: {said}")
    question = _content(turns[-1][1].get("content", turns[-1][1].get("value")))
    return "\n".join(before), Said(question.text, why or question.why), last


def _why(turns: Sequence[tuple[str, dict[str, Json]]]) -> str | None:
    if any(role in _TOOLS or any(m.get(key) for key in _TOOLS) for role, m in turns):
        return "tools"
    said = (_content(m.get("content")).why for _, m in turns)
    return next((why for why in said if why), None)


# What was answered


def _answered(body: Mapping[str, Json], choice: Choice) -> Said | None:
    if choice.output:
        value = _named(body, choice.output)
        return None if value is None else answer(value)
    if isinstance(body.get("choices"), list):
        return answer(body)
    value = fields.get(body, "output")
    return None if value is None else answer(value)


def answer(value: Json) -> Said:
    """The text of an answer in any of the known shapes."""
    value = _opened(value) if isinstance(value, str) and '"choices"' in value else value
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return _items(value)
    if not isinstance(value, dict):
        return Said(_text(value))
    if isinstance(value.get("body"), dict):
        return answer(value["body"])
    choices = value.get("choices")
    if isinstance(choices, list):
        first = choices[0] if choices and isinstance(choices[0], dict) else {}
        message = first.get("message")
        return _message(message) if isinstance(message, dict) else Said(_text(first.get("text")))
    if isinstance(value.get("message"), dict):
        return _message(value["message"])
    if isinstance(value.get("output_text"), str):
        return Said(value["output_text"])
    if isinstance(value.get("output"), list):
        return _items(value["output"])
    if "content" in value and ("role" in value or isinstance(value["content"], list)):
        return _message(value)
    return Said(_text(value))


def _message(message: Mapping[str, Json]) -> Said:
    if any(message.get(key) for key in ("tool_calls", "function_call")):
        return Said("", "tools")
    return _content(message.get("content", message.get("value")))


def _items(items: Sequence[Json]) -> Said:
    """The items of a Responses answer, the parts of a content, or a list of messages."""
    parts = [item for item in items if isinstance(item, dict)]
    if any(part.get("type") in ("function_call", "tool_use") for part in parts):
        return Said("", "tools")
    messages = [p for p in parts if "content" in p]
    if messages:
        return _message(messages[-1])
    if any("type" in part and "text" in part for part in parts):
        return _content(items)
    return Said(_text(list(items)))


def _content(content: Json) -> Said:
    """Text of a message's content: a string, or a list of parts."""
    if content is None:
        return Said("")
    if not isinstance(content, list):
        return Said(_text(content))
    texts, why = [], None
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _MEDIA:
            why = "media"
        elif kind in _TOOLS:
            why = why or "tools"
        elif isinstance(part, dict):
            texts.append(_text(part.get("text", "")))
        else:
            texts.append(_text(part))
    return Said("\n".join(texts), why)


# What stood beside it


def _gold(body: Mapping[str, Json]) -> Json:
    for source in (body, body.get("metadata")):
        if isinstance(source, dict) and (found := fields.get(source, "gold")) is not None:
            return found
    return None


def _task(body: Mapping[str, Json], choice: Choice) -> str | None:
    if choice.task:
        return _plain(_named(body, choice.task))
    for source in (body, body.get("metadata"), *_sources(body)):
        if not isinstance(source, dict):
            continue
        for inner in (source, source.get("metadata")):
            found = fields.get(inner, "task") if isinstance(inner, dict) else None
            if isinstance(found, str | int):
                return str(found)
    return None


def _facts(body: Mapping[str, Json]) -> dict[str, Json]:
    response = _opened(body.get("response"))
    inner = _opened(response.get("body")) if isinstance(response, dict) else None
    places = [p for p in (body, body.get("metadata"), response, inner) if isinstance(p, dict)]
    usages = [p["usage"] for p in places if isinstance(p.get("usage"), dict)]
    counted = [*usages, *places]
    details = [
        u.get("prompt_tokens_details") or u.get("input_tokens_details")
        for u in usages
        if isinstance(u, dict)
    ]
    cached = [*(d for d in details if isinstance(d, dict)), *counted]
    usd = _first(places, "cost_usd")
    return {
        "at": next((at for p in places if (at := fields.moment(fields.get(p, "time")))), None),
        "tokens_in": fields.count(_first(counted, "tokens_in")),
        "tokens_cached": fields.count(_first(cached, "tokens_cached")),
        "tokens_out": fields.count(_first(counted, "tokens_out")),
        "cost": fields.amount(usd if usd is not None else _first(places, "cost")),
        "currency": "USD" if usd is not None else None,
    }


def _first(places: Sequence[Mapping[str, Json]], role: str) -> Json:
    return next((v for p in places if (v := fields.get(p, role)) is not None), None)


def _named(body: Mapping[str, Json], path: str) -> Json:
    """The value at a name, or at a path of names with dots between them."""
    if path in body:
        return body[path]
    value: Json = body
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _plain(value: Json) -> str | None:
    if value is None:
        return None
    text = answer(value).text.strip()
    return text or None


def _text(value: Json) -> str:
    """A value as text: strings as they are, numbers and objects as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
