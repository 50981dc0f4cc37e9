"""OpenAI's responses, asked of a server that speaks chat completions.

No state is kept between two responses: a request that leans on an earlier one is refused,
and a response says `store: false`. Let go, since it changes no answer: cache keys, service
tiers, truncation (a prompt that is too long is refused by the server), and the thoughts of
earlier turns. Everything else is translated or refused.
"""

from feilun.models.dialects.completion import read_completion
from feilun.models.dialects.fields import (
    Body,
    Fields,
    an_object,
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

_SAME = {"temperature": number, "top_p": number, "stream": flag, "user": text}
_HARMLESS = (
    "store", "truncation", "metadata", "service_tier", "prompt_cache_key", "stream_options",
    "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "max_tool_calls",
)  # fmt: skip
_ECHOED = (
    "instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "reasoning",
    "temperature", "text", "tool_choice", "tools", "top_p", "truncation", "user",
)  # fmt: skip
_CALLS = ("auto", "none", "required")


def to_chat(body: Json) -> Body:
    """The chat completion that asks what a response asks. Raises TaskError for what it cannot."""
    asked = Fields(body)
    _expect_no_state(asked)
    chat: Body = {"model": asked.need("model", text), "messages": _messages(asked)}
    asked.copy(chat, {**_SAME})
    if limit := asked.take("max_output_tokens", count):
        chat["max_tokens"] = limit
    if chat.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    _add_tools(asked, chat)
    _add_output(asked, chat)
    asked.let_go(_HARMLESS)
    asked.done()
    return chat


def _expect_no_state(asked: Fields) -> None:
    asked.expect(
        "previous_response_id",
        why="no response is kept to go on from. Send the whole conversation in `input`.",
    )
    for name in ("conversation", "prompt"):
        asked.expect(name, why="nothing is kept under an id. Send the whole of it in `input`.")
    asked.expect("background", False, why="answers are given at once. Leave it out.")
    asked.expect("top_logprobs", 0, why="this model's server does not tell them here.")
    for i, one in enumerate(asked.take("include", texts) or ()):
        if one != "reasoning.encrypted_content":
            raise refusal(f"include[{i}]", "this model's server cannot add that. Leave it out.")


def _messages(asked: Fields) -> list[Body]:
    messages: list[Body] = []
    if instructions := asked.take("instructions", text):
        messages.append({"role": "system", "content": instructions})
    given = asked.need("input", lambda found, _: found)
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    found = items(given, "input")
    if not found:
        raise refusal("input", "must have at least one item.")
    for i, one in enumerate(found):
        _add_item(messages, Fields(one, f"input[{i}]"), f"input[{i}]")
    return messages


def _add_item(messages: list[Body], item: Fields, place: str) -> None:
    kind = item.take("type", text) or "message"
    item.let_go(("id", "status"))
    if kind == "message":
        messages.append(_message(item, place))
    elif kind == "function_call":
        _add_call(messages, item)
    elif kind == "function_call_output":
        id, output = item.need("call_id", text), item.need("output", _output)
        messages.append({"role": "tool", "tool_call_id": id, "content": output})
    elif kind == "reasoning":
        return  # a server of chat completions takes no thoughts of earlier turns
    elif kind == "item_reference":
        raise refusal(place, "no item is kept under an id. Send the item itself.")
    else:
        raise refusal(place, f"an item of type {kind[:50]!r} cannot be passed on to this server.")
    item.done()


def _message(item: Fields, place: str) -> Body:
    role = item.need("role", text)
    content = item.need("content", lambda found, _: found)
    item.let_go(("phase",))
    if role not in ("user", "assistant", "system", "developer"):
        raise refusal(f"{place}.role", "must be user, assistant, system or developer.")
    role = "system" if role == "developer" else role  # few servers know developers
    if isinstance(content, str):
        return {"role": role, "content": content}
    parts = [_part(*piece) for piece in pieces(content, f"{place}.content")]
    if role != "user" or (len(parts) == 1 and parts[0]["type"] == "text"):
        return {"role": role, "content": _joined(parts, place)}
    return {"role": role, "content": parts}


def _joined(parts: list[Body], place: str) -> str:
    if any(part["type"] != "text" for part in parts):
        raise refusal(f"{place}.content", "must be text.")
    return "".join(part["text"] for part in parts)


def _part(part: Fields, kind: str, place: str) -> Body:
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": part.need("text", text)}
    if kind == "refusal":
        return {"type": "text", "text": part.need("refusal", text)}
    if kind == "input_image":
        if part.take("file_id", text):
            raise refusal(f"{place}.file_id", "no file is kept. Send the image in `image_url`.")
        image: Body = {"url": part.need("image_url", text)}
        part.copy(image, {"detail": text})
        return {"type": "image_url", "image_url": image}
    raise refusal(place, f"a part of type {kind[:50]!r} cannot be passed on to this server.")


def _output(value: Json, place: str) -> str:
    if isinstance(value, str):
        return value
    return _joined([_part(*piece) for piece in pieces(value, place)], place)


def _add_call(messages: list[Body], item: Fields) -> None:
    """Calls belong to the assistant's message before them, where there is one."""
    function = {"name": item.need("name", text), "arguments": item.need("arguments", text)}
    call = {"id": item.need("call_id", text), "type": "function", "function": function}
    item.let_go(("namespace", "caller"))
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    messages[-1].setdefault("tool_calls", []).append(call)


def _add_tools(asked: Fields, chat: Body) -> None:
    if tools := asked.take("tools", items):
        chat["tools"] = [_tool(Fields(one, f"tools[{i}]")) for i, one in enumerate(tools)]
    choice = asked.take("tool_choice", _choice)
    parallel = asked.take("parallel_tool_calls", flag)
    if not tools:  # servers refuse these two without tools
        return
    if choice is not None:
        chat["tool_choice"] = choice
    if parallel is not None:
        chat["parallel_tool_calls"] = parallel


def _tool(tool: Fields) -> Body:
    kind = tool.need("type", text)
    if kind != "function":
        raise refusal(
            tool.at("type"),
            f"{kind[:50]!r} is a tool that OpenAI's servers run. Give a function of your own.",
        )
    function: Body = {"name": tool.need("name", text)}
    tool.copy(function, {"description": text, "parameters": an_object, "strict": flag})
    tool.let_go(("defer_loading", "allowed_callers", "output_schema"))
    tool.done()
    return {"type": "function", "function": function}


def _choice(value: Json, place: str) -> Json:
    if isinstance(value, str):
        if value not in _CALLS:
            raise refusal(place, "must be 'auto', 'none', 'required' or name a function.")
        return value
    chosen = Fields(value, place)
    chosen.expect("type", "function", why="must be 'function'.")
    return {"type": "function", "function": {"name": chosen.need("name", text)}}


def _add_output(asked: Fields, chat: Body) -> None:
    wanted = Fields(asked.take("text", an_object) or {}, "text")
    wanted.copy(chat, {"verbosity": text})
    if form := wanted.take("format", an_object):
        chat["response_format"] = _format(Fields(form, "text.format"))
    wanted.done()
    thinking = Fields(asked.take("reasoning", an_object) or {}, "reasoning")
    if effort := thinking.take("effort", text):
        chat["reasoning_effort"] = effort
    thinking.let_go(("summary", "generate_summary", "context"))
    thinking.done()


def _format(form: Fields) -> Body:
    kind = form.need("type", text)
    if kind in ("text", "json_object"):
        return {"type": kind}
    if kind != "json_schema":
        raise refusal("text.format.type", "must be 'text', 'json_object' or 'json_schema'.")
    schema: Body = {"name": form.need("name", text), "schema": form.need("schema", an_object)}
    form.copy(schema, {"description": text, "strict": flag})
    form.done()
    return {"type": kind, "json_schema": schema}


def from_chat(response: Json, model: str, asked: Body) -> Body:
    """The response that a chat completion is. Raises BrokenReply where it is none."""
    found = read_completion(response)
    output: list[Body] = []
    if said := found.text or found.refusal:
        part = refusal_part(said) if not found.text else text_part(said)
        output.append(message_item(found.id, [part], "completed"))
    output += [
        call_item(found.id, i, call.id, call.name, call.arguments, "completed")
        for i, call in enumerate(found.calls)
    ]
    whole = start(found.id, found.created, model, asked)
    return whole | {"output": output} | ending(found.finish, found.usage)


def start(id: str, created: int, model: str, asked: Body) -> Body:
    """A response before anything is said; what was asked is repeated in it, as OpenAI does."""
    echoed = {name: asked.get(name) for name in _ECHOED}
    return {
        **echoed,
        "id": f"resp_{id}",
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": echoed["parallel_tool_calls"] is not False,
        "previous_response_id": None,
        "store": False,
        "text": echoed["text"] or {"format": {"type": "text"}},
        "tool_choice": echoed["tool_choice"] or "auto",
        "tools": echoed["tools"] or [],
        "truncation": echoed["truncation"] or "disabled",
        "metadata": echoed["metadata"] or {},
        "usage": None,
    }


def ending(finish: str, usage: Usage) -> Body:
    """How a response ended, and its tokens."""
    why = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish)
    read, wrote = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return {
        "status": "incomplete" if why else "completed",
        "incomplete_details": {"reason": why} if why else None,
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": usage.cached or 0},
            "output_tokens": wrote,
            "output_tokens_details": {"reasoning_tokens": usage.thought or 0},
            "total_tokens": read + wrote,
        },
    }


def message_item(id: str, content: list[Body], status: str) -> Body:
    """A message among the output's items."""
    shape = {"type": "message", "role": "assistant"}
    return {"id": f"msg_{id}", **shape, "status": status, "content": content}


def text_part(said: str) -> Body:
    """A text in a message."""
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": []}


def refusal_part(said: str) -> Body:
    """The words in which a model declines."""
    return {"type": "refusal", "refusal": said}


def call_item(id: str, number: int, call: str, name: str, arguments: str, status: str) -> Body:
    """A called function among the output's items."""
    return {
        "id": f"fc_{id}_{number}",
        "type": "function_call",
        "call_id": call,
        "name": name,
        "arguments": arguments,
        "status": status,
    }
