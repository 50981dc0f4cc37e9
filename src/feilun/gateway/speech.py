"""A task asked and answered in a vendor's dialect: no client can tell that a student replied."""

import msgspec

from feilun.gateway.problem import Problem
from feilun.models.dialects import Client, between
from feilun.records import Call, Json, Task, stable_json
from feilun.tasks import is_text


def task_input(spoken: Client, request: dict[str, Json], task: Task) -> Json:
    """The input of a task in a chat request: what the one message of the user says.

    Raises Problem for a request that says more than that, and TaskError for one that is none.
    """
    translation = between(spoken, "openai", request, str(request["model"]))
    chat = translation.request if translation else request
    messages = chat.get("messages")
    if not isinstance(messages, list) or len(messages) != 1 or not isinstance(messages[0], dict):
        raise Problem(
            400,
            f"Task {task.task} brings its own instructions: send one message, of the user, with "
            "the input as its text.",
            code="invalid_input",
            param="messages",
        )
    text = _text(messages[0])
    if text is None or messages[0].get("role") != "user":
        raise Problem(
            400,
            f"Task {task.task}: the message must be of the user, and text.",
            code="invalid_input",
            param="messages",
        )
    if task.input_schema.get("type") == "string":
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Problem(
            400, f"Task {task.task}: the message must hold the input as JSON.", param="messages"
        ) from error


def content_of(task: Task, output: Json) -> str:
    """An output as the text of a message: words as they are, anything else as JSON."""
    return output if is_text(task) or isinstance(output, str) else stable_json(output).decode()


def completion(spoken: Client, request: dict[str, Json], call: Call, content: str) -> bytes:
    """A whole answer in the client's dialect."""
    chat = {
        "id": f"chatcmpl-{call.id}",
        "object": "chat.completion",
        "created": int(call.at.timestamp()),
        "model": request["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": _usage(call),
    }
    translation = between(spoken, "openai", request, str(request["model"]))
    return msgspec.json.encode(translation.response(chat) if translation else chat)


def stream(spoken: Client, request: dict[str, Json], call: Call, content: str) -> bytes:
    """The same as a stream, all of it at once."""
    frame = {
        "id": f"chatcmpl-{call.id}",
        "object": "chat.completion.chunk",
        "created": int(call.at.timestamp()),
        "model": request["model"],
    }
    options = request.get("stream_options") or {}
    translation = between(spoken, "openai", request, str(request["model"]))
    deltas: list[tuple[Json, str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        ({"content": content}, None),
        ({}, "stop"),
    ]
    chunks: list[Json] = [
        {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": why}]}
        for delta, why in deltas
    ]
    if translation or options.get("include_usage"):
        chunks.append({**frame, "choices": [], "usage": _usage(call)})
    events = b"".join(b"data: %s\n\n" % msgspec.json.encode(chunk) for chunk in chunks)
    said = events + b"data: [DONE]\n\n"
    if translation is None:
        return said
    turned = translation.stream()
    return turned.feed(said) + turned.end()


def _usage(call: Call) -> dict[str, Json]:
    given, taken = call.tokens_in or 0, call.tokens_out or 0
    return {"prompt_tokens": given, "completion_tokens": taken, "total_tokens": given + taken}


def _text(message: dict[str, Json]) -> str | None:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [part.get("text") if isinstance(part, dict) else None for part in content]
    said = [text for text in texts if isinstance(text, str)]
    return "".join(said) if len(said) == len(content) else None
