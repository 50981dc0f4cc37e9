"""Anthropic's messages, asked of a server that speaks chat completions.

Let go, since it changes no answer or only how much a model thinks: prompt-cache marks,
service tiers, thinking budgets, and the thoughts of earlier turns. Thoughts of the answer are
not passed on. Everything else is translated or refused.
"""

from feilun.errors import BrokenReply, TaskError
from feilun.models.dialects.completion import Completion, read_completion
from feilun.models.dialects.fields import (
    Body,
    Fields,
    an_object,
    arguments_object,
    arguments_text,
    count,
    flag,
    items,
    number,
    pieces,
    refusal,
    text,
    texts,
)
from feilun.models.sse.said import Usage
from feilun.records import Json

_SAME = {"temperature": number, "top_p": number, "top_k": count, "stream": flag}
_HARMLESS = (
    "thinking", "service_tier", "cache_control", "inference_geo", "speed", "diagnostics",
    "context_management",
)  # fmt: skip
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""Why a chat completion ended, in Anthropic's words."""


def to_chat(body: Json) -> Body:
    """The chat completion that asks what a message asks. Raises TaskError for what it cannot."""
    asked = Fields(body)
    chat: Body = {"model": asked.need("model", text), "messages": _messages(asked)}
    chat["max_tokens"] = asked.need("max_tokens", count)
    asked.copy(chat, {**_SAME})
    if stops := asked.take("stop_sequences", texts):
        chat["stop"] = stops
    if chat.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    _add_tools(asked, chat)
    _add_output(asked, chat)
    if metadata := asked.take("metadata", an_object):
        chat.update({"user": user} if isinstance(user := metadata.get("user_id"), str) else {})
    asked.let_go(_HARMLESS)
    asked.done()
    return chat


def _messages(asked: Fields) -> list[Body]:
    given = asked.need("messages", items)
    if not given:
        raise refusal("messages", "must have at least one message.")
    messages = [
        message for i, one in enumerate(given) for message in _message(one, f"messages[{i}]")
    ]
    if messages and messages[-1]["role"] == "assistant":
        raise refusal(
            "messages",
            "the last one must be the user's: this model's server does not go on with an "
            "answer that was begun. Say in the prompt how the answer shall begin.",
        )
    system = asked.take("system", _plain)
    return [{"role": "system", "content": system}, *messages] if system else messages


def _plain(value: Json, place: str) -> str:
    """Text, or blocks of text and nothing else."""
    if isinstance(value, str):
        return value
    found = []
    for block, kind, where in pieces(value, place):
        if kind != "text":
            raise refusal(where, f"a block of type {kind[:50]!r} cannot stand here, only text.")
        found.append(_text_of(block))
    return "\n".join(found)


def _text_of(block: Fields) -> str:
    block.let_go(("cache_control", "citations"))
    said = block.need("text", text)
    block.done()
    return said


def _message(value: Json, place: str) -> list[Body]:
    message = Fields(value, place)
    role = message.need("role", text)
    content = message.need("content", lambda found, _: found)
    message.done()
    if role not in ("user", "assistant"):
        raise refusal(f"{place}.role", "must be 'user' or 'assistant'. Give `system` at the top.")
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    if role == "assistant":
        return [_of_assistant(content, f"{place}.content")]
    return _of_user(content, f"{place}.content")


def _of_assistant(content: Json, place: str) -> Body:
    said, calls = [], []
    for block, kind, where in pieces(content, place):
        if kind == "text":
            said.append(_text_of(block))
        elif kind == "tool_use":
            calls.append(_call(block, where))
        elif kind not in ("thinking", "redacted_thinking"):
            raise _unknown_block(where, kind)
    message: Body = {"role": "assistant", "content": "".join(said) or None}
    return {**message, "tool_calls": calls} if calls else {**message, "content": "".join(said)}


def _call(block: Fields, place: str) -> Body:
    id, name = block.need("id", text), block.need("name", text)
    arguments = arguments_text(block.take("input", an_object) or {}, f"{place}.input")
    block.let_go(("cache_control", "caller"))
    block.done()
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _of_user(content: Json, place: str) -> list[Body]:
    """Results of tools become messages of their own; their images follow in the user's."""
    results: list[Body] = []
    parts: list[Body] = []
    for block, kind, where in pieces(content, place):
        if kind == "tool_result":
            result, images = _result(block, where)
            results.append(result)
            parts += images
        else:
            parts.append(_part(block, kind, where))
    if len(parts) == 1 and parts[0]["type"] == "text":
        return [*results, {"role": "user", "content": parts[0]["text"]}]
    return [*results, {"role": "user", "content": parts}] if parts or not results else results


def _result(block: Fields, place: str) -> tuple[Body, list[Body]]:
    id = block.need("tool_use_id", text)
    failed = block.take("is_error", flag)
    content = block.take("content", lambda found, _: found)
    block.let_go(("cache_control",))
    block.done()
    if content is None or isinstance(content, str):
        parts: list[Body] = [{"type": "text", "text": content or ""}]
    else:
        parts = [_part(*piece) for piece in pieces(content, f"{place}.content")]
    said = "\n".join(part["text"] for part in parts if part["type"] == "text")
    # Chat completions have no mark for a tool that failed: the model reads it in the text.
    result = {"role": "tool", "tool_call_id": id, "content": f"Error: {said}" if failed else said}
    return result, [part for part in parts if part["type"] != "text"]


def _part(block: Fields, kind: str, place: str) -> Body:
    if kind == "text":
        return {"type": "text", "text": _text_of(block)}
    if kind not in ("image", "document"):
        raise _unknown_block(place, kind)
    source = Fields(block.need("source", an_object), f"{place}.source")
    block.let_go(("cache_control", "citations", "title", "context"))
    block.done()
    return _image(source, place) if kind == "image" else _document(source, place)


def _image(source: Fields, place: str) -> Body:
    kind = source.need("type", text)
    if kind == "base64":
        media, data = source.need("media_type", text), source.need("data", text)
        url = f"data:{media};base64,{data}"
    elif kind == "url":
        url = source.need("url", text)
    else:
        raise refusal(f"{place}.source", "send an image as base64 or by URL: files are not kept.")
    source.done()
    return {"type": "image_url", "image_url": {"url": url}}


def _document(source: Fields, place: str) -> Body:
    if source.need("type", text) != "text":
        raise refusal(f"{place}.source", "only documents of plain text can be passed on.")
    return {"type": "text", "text": source.need("data", text)}


def _unknown_block(place: str, kind: str) -> TaskError:
    return refusal(
        place, f"a block of type {kind[:50]!r} cannot be passed on to this model's server."
    )


def _add_tools(asked: Fields, chat: Body) -> None:
    if tools := asked.take("tools", items):
        chat["tools"] = [_tool(Fields(one, f"tools[{i}]")) for i, one in enumerate(tools)]
    if choice := asked.take("tool_choice", an_object):
        chosen = Fields(choice, "tool_choice")
        kind = chosen.need("type", text)
        if kind == "tool":
            function = {"name": chosen.need("name", text)}
            chat["tool_choice"] = {"type": "function", "function": function}
        elif kind in _CHOICES:
            chat["tool_choice"] = _CHOICES[kind]
        else:
            raise refusal("tool_choice.type", "must be 'auto', 'any', 'tool' or 'none'.")
        if chosen.take("disable_parallel_tool_use", flag):
            chat["parallel_tool_calls"] = False
        chosen.done()


_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def _tool(tool: Fields) -> Body:
    kind = tool.take("type", text)
    if kind not in (None, "custom"):
        raise refusal(
            tool.at("type"),
            f"{kind[:50]!r} is a tool that Anthropic's servers run. Give a tool of your own.",
        )
    function: Body = {"name": tool.need("name", text)}
    tool.copy(function, {"description": text, "strict": flag})
    function["parameters"] = tool.need("input_schema", an_object)
    tool.let_go(("cache_control", "eager_input_streaming", "input_examples"))
    tool.done()
    return {"type": "function", "function": function}


def _add_output(asked: Fields, chat: Body) -> None:
    output = Fields(asked.take("output_config", an_object) or {}, "output_config")
    wanted = output.take("format", an_object) or asked.take("output_format", an_object)
    if effort := output.take("effort", text):
        chat["reasoning_effort"] = _EFFORTS.get(effort, "high")
    output.done()
    if wanted:
        form = Fields(wanted, "output_config.format")
        form.expect("type", "json_schema", why="must be 'json_schema'.")
        schema = {"name": "output", "schema": form.need("schema", an_object), "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
        form.done()


def from_chat(response: Json, model: str) -> Body:
    """The message that a chat completion is. Raises BrokenReply where it is none."""
    found = read_completion(response)
    return start(found.id, model) | {
        "content": _content(found),
        "stop_reason": stop_reason(found.finish),
        "usage": usage_of(found.usage),
    }


def start(id: str, model: str) -> Body:
    """A message before anything is said."""
    return {
        "id": f"msg_{id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_of(Usage()),
    }


def stop_reason(finish: str) -> str:
    """Why the message ended, in Anthropic's words."""
    return STOPS.get(finish, "end_turn")


def usage_of(usage: Usage) -> Body:
    """The tokens: Anthropic counts what a cache held beside the input, and not in it."""
    cached = usage.cached or 0
    return {
        "input_tokens": max(0, (usage.prompt_tokens or 0) - cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": usage.completion_tokens or 0,
    }


def _content(found: Completion) -> list[Body]:
    content: list[Body] = []
    if said := found.text or found.refusal:
        content.append({"type": "text", "text": said})
    for call in found.calls:
        try:
            given = arguments_object(call.arguments)
        except ValueError as error:
            raise BrokenReply("The model called a tool with arguments that are no JSON.") from error
        content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": given})
    return content
