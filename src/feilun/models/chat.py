"""A task's call as a chat completion: the request that asks it, and the answer that came.

Every engine that speaks chat completions is asked in these words, the embedded one too.
"""

from collections.abc import Callable

from feilun.errors import BrokenReply
from feilun.ports import Answer
from feilun.records import Json, Task
from feilun.tasks import is_closed, messages, read_output, response_format

Body = dict[str, Json]

# Room to answer. A label is a few tokens, and models that think need some before it.
_LABEL_TOKENS = 512
_OPEN_TOKENS = 2048


def request(task: Task, input: Json, model: str) -> Body:
    """The body of a chat completion that asks `model` for the task's answer to `input`."""
    body: Body = {
        "model": model,
        "messages": messages(task, input),
        "temperature": 0,
        "max_tokens": _LABEL_TOKENS if is_closed(task) else _OPEN_TOKENS,
    }
    form = response_format(task)
    return {**body, "response_format": form} if form else body


def milder(body: Body, status: int, said: str) -> Body | None:
    """The request without what a server refused of it; None where it has to stand as it is.

    Many servers know no JSON Schema, OpenAI wants an object at a schema's top, and its
    models that think take neither a temperature nor `max_tokens`. The prompt says what form
    the answer has, so an answer without these is still one.
    """
    if status not in (400, 422):
        return None
    for name, replaced in _MILDER.items():
        if name in body and name in said:
            return replaced(body)
    return _without("response_format")(body) if "response_format" in body else None


def _without(name: str) -> Callable[[Body], Body]:
    return lambda body: {key: value for key, value in body.items() if key != name}


def _with_newer_limit(body: Body) -> Body:
    return {**_without("max_tokens")(body), "max_completion_tokens": body["max_tokens"]}


_MILDER: dict[str, Callable[[Body], Body]] = {
    "temperature": _without("temperature"),
    "max_tokens": _with_newer_limit,
    "response_format": _without("response_format"),
}


def answer(task: Task, response: Json, seconds: float, device: str | None = None) -> Answer:
    """What a chat completion says of a task.

    Raises BrokenReply for a body that is no whole answer, and TaskError for an answer that
    the task does not allow.
    """
    choice = _choice(task, response)
    text = _text(choice.get("message"))
    if choice.get("finish_reason") == "length":
        raise BrokenReply(
            f"Task {task.task}: the model ran out of tokens before its answer was whole. "
            "Ask for shorter outputs, or give the model a larger context."
        )
    if text is None:
        raise BrokenReply(f"Task {task.task}: the model's message has no text.")
    tokens_in, cached, tokens_out = _tokens(response.get("usage"))
    return Answer(read_output(task, text), seconds, tokens_in, cached, tokens_out, device)


def _choice(task: Task, response: Json) -> Body:
    choices = response.get("choices") if isinstance(response, dict) else None
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        raise BrokenReply(
            f"Task {task.task}: the server answered with something else than a chat completion. "
            "Check its URL, and `feilun engines check`."
        )
    return dict(choices[0])


def _text(message: Json) -> str | None:
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else None


def _tokens(usage: Json) -> tuple[int | None, int | None, int | None]:
    """Tokens read, cached and written; all None where the server did not count both ways."""
    if not isinstance(usage, dict):
        return None, None, None
    tokens_in, tokens_out = (
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
    )
    if tokens_in is None or tokens_out is None:
        return None, None, None
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return tokens_in, None if cached is None else min(cached, tokens_in), tokens_out


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
