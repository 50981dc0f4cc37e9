"""Behaviours of a good model server: the bodies of three dialects, as the real ones send them."""

from collections.abc import Sequence
from itertools import pairwise
from json import dumps

from feilun.records import Json
from feilun.testing.upstream.exchange import (
    DONE,
    Behaviour,
    Exchange,
    answer,
    error,
    event,
    pieces,
)

MODELS = ("mock-small", "mock-large")
TEXT = "Good morning from the model."
CREATED = 1_700_000_000
MODEL = "mock-small"

Tool = tuple[str, dict[str, Json]]
"""A function's name and its arguments, as a model calls it."""


def chat(
    text: str | None = TEXT, *, tools: Sequence[Tool] = (), model: str | None = None
) -> Behaviour:
    """A chat completion, whole."""

    async def behave(exchange: Exchange) -> None:
        named = model or _model(exchange)
        message: dict[str, Json] = {"role": "assistant", "content": text, "refusal": None}
        if tools:
            message["tool_calls"] = [_tool(i, *tool) for i, tool in enumerate(tools)]
        choice: Json = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": "tool_calls" if tools else "stop",
        }
        usage = _usage(exchange, text or "", "prompt_tokens", "completion_tokens")
        body = _chat_body("chat.completion", named) | {"choices": [choice], "usage": usage}
        await answer(body)(exchange)

    return behave


def chat_stream(
    parts: Sequence[str] | None = None, *, tools: Sequence[Tool] = (), model: str | None = None
) -> Behaviour:
    """A chat completion in events, one a part, then [DONE]; usage where it was asked for."""
    said = _words(TEXT) if parts is None else list(parts)

    async def behave(exchange: Exchange) -> None:
        body = _chat_body("chat.completion.chunk", model or _model(exchange))

        def delta(delta: dict[str, Json], finish: str | None = None) -> bytes:
            choice: Json = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
            return event(body | {"choices": [choice]})

        events = [delta({"role": "assistant", "content": ""})]
        events += [delta({"content": part}) for part in said]
        for i, tool in enumerate(tools):
            called = _tool(i, *tool)
            assert isinstance(called, dict)  # noqa: S101
            events.append(delta({"tool_calls": [{"index": i, **called}]}))
        events.append(delta({}, "tool_calls" if tools else "stop"))
        options = exchange.request.json.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            usage = _usage(exchange, "".join(said), "prompt_tokens", "completion_tokens")
            events.append(event(body | {"choices": [], "usage": usage}))
        await pieces(*events, DONE)(exchange)

    return behave


def embeddings(*vectors: Sequence[float]) -> Behaviour:
    """Embeddings: these, or of each input one of four numbers."""

    async def behave(exchange: Exchange) -> None:
        asked = exchange.request.json.get("input")
        count = len(asked) if isinstance(asked, list) else 1
        given = [list(v) for v in vectors] or [[float(i), 0.5, -0.5, 1.0] for i in range(count)]
        data: list[Json] = [
            {"object": "embedding", "index": i, "embedding": vector}
            for i, vector in enumerate(given)
        ]
        usage: Json = {"prompt_tokens": count, "total_tokens": count}
        model = _model(exchange)
        await answer({"object": "list", "data": data, "model": model, "usage": usage})(exchange)

    return behave


def responses(text: str = TEXT) -> Behaviour:
    """A reply of the responses dialect, whole."""

    async def behave(exchange: Exchange) -> None:
        await answer(_response(exchange, text))(exchange)

    return behave


def responses_stream(parts: Sequence[str] | None = None) -> Behaviour:
    """A reply of the responses dialect in its named events."""
    said = _words(TEXT) if parts is None else list(parts)

    async def behave(exchange: Exchange) -> None:
        whole, at = "".join(said), {"item_id": "msg_mock", "output_index": 0, "content_index": 0}
        item: dict[str, Json] = {"id": "msg_mock", "type": "message", "role": "assistant"}
        begun = _response(exchange, None)
        part: Json = {"type": "output_text", "text": "", "annotations": []}
        full: Json = {"type": "output_text", "text": whole, "annotations": []}
        told: list[dict[str, Json]] = [
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
            {
                "type": "response.output_item.added",
                "output_index": 0,
                "item": item | {"status": "in_progress", "content": []},
            },
            {"type": "response.content_part.added", **at, "part": part},
            *({"type": "response.output_text.delta", **at, "delta": said_} for said_ in said),
            {"type": "response.output_text.done", **at, "text": whole},
            {"type": "response.content_part.done", **at, "part": full},
            {
                "type": "response.output_item.done",
                "output_index": 0,
                "item": item | {"status": "completed", "content": [full]},
            },
            {"type": "response.completed", "response": _response(exchange, whole)},
        ]
        await pieces(
            *(event(e | {"sequence_number": i}, str(e["type"])) for i, e in enumerate(told))
        )(exchange)

    return behave


def messages(text: str = TEXT, *, tools: Sequence[Tool] = ()) -> Behaviour:
    """A reply of Anthropic's dialect, whole."""

    async def behave(exchange: Exchange) -> None:
        content: list[Json] = [{"type": "text", "text": text}] if text else []
        content += [_tool_use(i, *tool) for i, tool in enumerate(tools)]
        body = _message(exchange) | {
            "content": content,
            "stop_reason": "tool_use" if tools else "end_turn",
            "usage": _usage(exchange, text, "input_tokens", "output_tokens"),
        }
        await answer(body)(exchange)

    return behave


def messages_stream(parts: Sequence[str] | None = None, *, tools: Sequence[Tool] = ()) -> Behaviour:
    """A reply of Anthropic's dialect in its named events."""
    said = _words(TEXT) if parts is None else list(parts)

    async def behave(exchange: Exchange) -> None:
        usage = _usage(exchange, "".join(said), "input_tokens", "output_tokens")
        told: list[dict[str, Json]] = [
            {"type": "message_start", "message": _message(exchange) | {"usage": usage}}
        ]
        blocks: list[tuple[Json, list[Json]]] = []
        if said:
            texts: list[Json] = [{"type": "text_delta", "text": part} for part in said]
            blocks.append(({"type": "text", "text": ""}, texts))
        for i, (name, arguments) in enumerate(tools):
            empty = _tool_use(i, name, {})
            given: Json = {"type": "input_json_delta", "partial_json": dumps(arguments)}
            blocks.append((empty, [given]))
        for index, (block, deltas) in enumerate(blocks):
            told.append({"type": "content_block_start", "index": index, "content_block": block})
            told += [
                {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
            ]
            told.append({"type": "content_block_stop", "index": index})
        stop: Json = {"stop_reason": "tool_use" if tools else "end_turn", "stop_sequence": None}
        told.append({"type": "message_delta", "delta": stop, "usage": usage})
        told.append({"type": "message_stop"})
        await pieces(*(event(e, str(e["type"])) for e in told))(exchange)

    return behave


async def models(exchange: Exchange) -> None:
    """The list of models, in OpenAI's shape."""
    data: list[Json] = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "mock"} for name in MODELS
    ]
    await answer({"object": "list", "data": data})(exchange)


async def model_server(exchange: Exchange) -> None:
    """Answer whatever was asked, as a good model server does, streamed where that was asked."""
    request = exchange.request
    stream = request.json.get("stream") is True
    doors: dict[str, Behaviour] = {
        "/chat/completions": chat_stream() if stream else chat(),
        "/responses": responses_stream() if stream else responses(),
        "/messages": messages_stream() if stream else messages(),
        "/embeddings": embeddings(),
        "/models": models,
    }
    path = request.path.partition("?")[0].removeprefix("/v1")
    missing = error(404, message=f"no {path} here", kind="invalid_request_error")
    await doors.get(path, missing)(exchange)


def _model(exchange: Exchange) -> str:
    return str(exchange.request.json.get("model") or MODEL)


def _words(text: str) -> list[str]:
    """The text in pieces that end before each space, as tokens do."""
    cuts = [0, *(i for i, letter in enumerate(text) if letter == " "), len(text)]
    return [text[a:b] for a, b in pairwise(cuts)]


def _chat_body(kind: str, model: str) -> dict[str, Json]:
    return {
        "id": "chatcmpl-mock",
        "object": kind,
        "created": CREATED,
        "model": model,
        "system_fingerprint": "fp_mock",
    }


def _usage(exchange: Exchange, text: str, read: str, written: str) -> dict[str, Json]:
    """Tokens, counted roughly: enough to add up."""
    asked, said = _tokens(exchange), max(1, len(text.split()))
    counted: dict[str, Json] = {read: asked, written: said}
    return counted if read == "input_tokens" else counted | {"total_tokens": asked + said}


def _tokens(exchange: Exchange) -> int:
    return 1 + len(exchange.request.body) // 4


def _tool(index: int, name: str, arguments: dict[str, Json]) -> Json:
    function: Json = {"name": name, "arguments": dumps(arguments)}
    return {"id": f"call_mock{index}", "type": "function", "function": function}


def _tool_use(index: int, name: str, arguments: dict[str, Json]) -> Json:
    return {"type": "tool_use", "id": f"toolu_mock{index}", "name": name, "input": arguments}


def _message(exchange: Exchange) -> dict[str, Json]:
    return {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "model": _model(exchange),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _response(exchange: Exchange, text: str | None) -> dict[str, Json]:
    """A response; None: one that has only begun."""
    content: Json = [{"type": "output_text", "text": text, "annotations": []}]
    item: Json = {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": content,
    }
    body: dict[str, Json] = {
        "id": "resp_mock",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress" if text is None else "completed",
        "model": _model(exchange),
        "output": [] if text is None else [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": None,
    }
    if text is not None:
        counted = _usage(exchange, text, "input_tokens", "output_tokens")
        details: dict[str, Json] = {
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        total = _tokens(exchange) + max(1, len(text.split()))
        body["usage"] = counted | details | {"total_tokens": total}
    return body
