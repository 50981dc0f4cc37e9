"""Chat completions, asked of a server that speaks Anthropic's messages.

Let go, since it changes no answer, is a best effort by its own definition, or says how much
a model thinks: seed, store, metadata, service tiers, cache keys, verbosity, reasoning effort.
Everything else is translated or refused.
"""

from time import time

import msgspec

from feilun.errors import BrokenReply
from feilun.models.dialects.fields import (
    Body,
    Fields,
    an_object,
    arguments_object,
    count,
    flag,
    items,
    number,
    pieces,
    refusal,
    text,
    texts,
)
from feilun.models.sse.messages import FINISHES, Usage, chat_message
from feilun.records import Json

# Anthropic has no default. All its models write this much.
_MOST_TOKENS = 4096
_SAME = {"top_p": number, "top_k": count, "stream": flag}
_HARMLESS = (
    "seed", "store", "metadata", "service_tier", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "safety_identifier", "verbosity", "reasoning_effort", "prediction",
    "stream_options",
)  # fmt: skip


def from_chat_request(body: Json) -> Body:
    """The message that asks what a chat completion asks. Raises TaskError for what it cannot."""
    asked = Fields(body)
    found: Body = {"model": asked.need("model", text)}
    newer, older = asked.take("max_completion_tokens", count), asked.take("max_tokens", count)
    found["max_tokens"] = newer or older or _MOST_TOKENS
    system, found["messages"] = _messages(asked)
    if system:
        found["system"] = "\n\n".join(system)
    asked.copy(found, {**_SAME})
    _add_the_rest(asked, found)
    _expect_defaults(asked)
    asked.let_go(_HARMLESS)
    asked.done()
    return found


def _add_the_rest(asked: Fields, found: Body) -> None:
    if (heat := asked.take("temperature", number)) is not None:
        if heat > 1:
            raise refusal("temperature", "this model's server takes 0 to 1.")
        found["temperature"] = heat
    if stops := asked.take(
        "stop", lambda one, at: [one] if isinstance(one, str) else texts(one, at)
    ):
        found["stop_sequences"] = stops
    if user := asked.take("user", text):
        found["metadata"] = {"user_id": user}
    if form := asked.take("response_format", an_object):
        _add_format(Fields(form, "response_format"), found)
    _add_tools(asked, found)


def _expect_defaults(asked: Fields) -> None:
    why = "this model's server cannot do that. Leave it out, or ask an OpenAI-compatible server."
    for name, *allowed in (
        ("n", 1), ("logprobs", False), ("top_logprobs", 0), ("frequency_penalty", 0),
        ("presence_penalty", 0), ("logit_bias", {}), ("modalities", ["text"]),
    ):  # fmt: skip
        asked.expect(name, *allowed, why=why)
    for name in ("functions", "function_call"):
        asked.expect(name, why="is the old form: use `tools` and `tool_choice`.")


def _add_format(form: Fields, found: Body) -> None:
    kind = form.need("type", text)
    if kind == "json_schema":
        wanted = Fields(form.need("json_schema", an_object), "response_format.json_schema")
        schema = wanted.need("schema", an_object)
        found["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    elif kind != "text":
        raise refusal("response_format.type", "this model's server knows 'json_schema' only.")


def _add_tools(asked: Fields, found: Body) -> None:
    if tools := asked.take("tools", items):
        found["tools"] = [_tool(Fields(one, f"tools[{i}]")) for i, one in enumerate(tools)]
    choice = asked.take("tool_choice", _choice)
    if asked.take("parallel_tool_calls", flag) is False and found.get("tools"):
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    if choice:
        found["tool_choice"] = choice


def _tool(tool: Fields) -> Body:
    tool.expect("type", "function", why="only functions can be passed on to this server.")
    function = Fields(tool.need("function", an_object), tool.at("function"))
    found: Body = {"name": function.need("name", text)}
    function.copy(found, {"description": text})
    found["input_schema"] = function.take("parameters", an_object) or {"type": "object"}
    function.let_go(("strict",))
    function.done()
    tool.done()
    return found


def _choice(value: Json, place: str) -> Body:
    if isinstance(value, str) and value in _CHOICES:
        return {"type": _CHOICES[value]}
    chosen = Fields(value, place)
    chosen.expect("type", "function", why="must name a function.")
    function = Fields(chosen.need("function", an_object), f"{place}.function")
    return {"type": "tool", "name": function.need("name", text)}


_CHOICES = {"auto": "auto", "required": "any", "none": "none"}


def _messages(asked: Fields) -> tuple[list[str], list[Body]]:
    """The system's texts, and the turns: those of one side that follow each other are one."""
    given = asked.need("messages", items)
    if not given:
        raise refusal("messages", "must have at least one message.")
    system: list[str] = []
    turns: list[Body] = []
    for i, one in enumerate(given):
        message = Fields(one, f"messages[{i}]")
        role = message.need("role", text)
        message.let_go(("name",))
        if role in ("system", "developer"):
            system.append(_plain(message))
        else:
            side, blocks = _turn(role, message)
            if turns and turns[-1]["role"] == side:
                turns[-1]["content"] += blocks
            else:
                turns.append({"role": side, "content": blocks})
        message.done()
    return system, turns


def _turn(role: str, message: Fields) -> tuple[str, list[Body]]:
    if role == "user":
        return role, message.need("content", _parts)
    if role == "tool":
        id, content = message.need("tool_call_id", text), message.take("content", _parts)
        return "user", [{"type": "tool_result", "tool_use_id": id, "content": content or []}]
    if role != "assistant":
        raise refusal(message.at("role"), "must be system, developer, user, assistant or tool.")
    blocks = message.take("content", _parts) or []
    if declined := message.take("refusal", text):
        blocks.append({"type": "text", "text": declined})
    calls = message.take("tool_calls", items) or []
    blocks += [_use(Fields(one, f"{message.at('tool_calls')}[{i}]")) for i, one in enumerate(calls)]
    message.let_go(("reasoning_content", "reasoning", "annotations"))
    message.expect("audio", why="sound cannot be passed on to this model's server.")
    message.expect("function_call", why="is the old form: use `tool_calls`.")
    return role, blocks


def _plain(message: Fields) -> str:
    blocks = message.need("content", _parts)
    if any(block["type"] != "text" for block in blocks):
        raise refusal(message.at("content"), "must be text.")
    return "\n".join(block["text"] for block in blocks)


def _parts(value: Json, place: str) -> list[Body]:
    """Blocks of a content. Empty texts are left out: Anthropic takes none."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}] if value else []
    found = [_part(*piece) for piece in pieces(value, place)]
    return [block for block in found if block["type"] != "text" or block["text"]]


def _part(part: Fields, kind: str, place: str) -> Body:
    if kind in ("text", "refusal"):
        return {"type": "text", "text": part.need(kind, text)}
    if kind == "image_url":
        image = Fields(part.need("image_url", an_object), f"{place}.image_url")
        return {"type": "image", "source": _source(image.need("url", text), place)}
    raise refusal(
        place, f"a part of type {kind[:50]!r} cannot be passed on to this model's server."
    )


def _source(url: str, place: str) -> Body:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    media, mark, data = url[5:].partition(";base64,")
    if not mark:
        raise refusal(f"{place}.image_url.url", "write a data URL as data:image/png;base64,...")
    return {"type": "base64", "media_type": media, "data": data}


def _use(call: Fields) -> Body:
    call.expect("type", "function", why="only functions can be passed on to this server.")
    function = Fields(call.need("function", an_object), call.at("function"))
    try:
        given = arguments_object(function.take("arguments", text) or "")
    except ValueError as error:
        raise refusal(function.at("arguments"), "must be a JSON object, as text.") from error
    id, name = call.need("id", text), function.need("name", text)
    return {"type": "tool_use", "id": id, "name": name, "input": given}


class _Message(msgspec.Struct):
    content: list[dict[str, Json]]
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Usage | None = None


def to_chat_response(response: Json) -> Body:
    """The chat completion that a message is. Raises BrokenReply where it is none."""
    try:
        found = msgspec.convert(response, _Message)
        message = chat_message(found.content)
    except (ValueError, TypeError, RecursionError) as error:
        raise BrokenReply(
            "The server answered with something else than a message. Check its URL and its "
            "dialect with `feilun engines check`."
        ) from error
    choice = {
        "index": 0,
        "message": {**message, "refusal": None},
        "logprobs": None,
        "finish_reason": finish_of(found.stop_reason),
    }
    head = head_of("chat.completion", found.id or "", found.model or "")
    return {**head, "choices": [choice], "usage": usage_of(found.usage or Usage())}


def head_of(kind: str, id: str, model: str) -> Body:
    """What stands at the top of a completion and of each chunk. Messages say no time."""
    return {"id": f"chatcmpl-{id}", "object": kind, "created": int(time()), "model": model}


def finish_of(stop: str | None) -> str:
    """Why the message ended, in the words of chat completions."""
    return FINISHES.get(stop or "", "stop")


def usage_of(usage: Usage) -> Body:
    """The tokens as chat completions count them: what a cache held is a part of the prompt."""
    read, wrote = usage.read or 0, usage.output_tokens or 0
    return {
        "prompt_tokens": read,
        "completion_tokens": wrote,
        "total_tokens": read + wrote,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_input_tokens or 0},
    }
