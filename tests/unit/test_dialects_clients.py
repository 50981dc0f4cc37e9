"""The official clients, unmodified, on translated answers: what they read is what was said."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx2  # which both clients are built on
import openai
import pytest
from pydantic import BaseModel

from feilun.models.dialects import Client, between, error_body, error_event

USAGE = {
    "prompt_tokens": 82,
    "completion_tokens": 17,
    "total_tokens": 99,
    "prompt_tokens_details": {"cached_tokens": 64},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def completion(content: str | None, calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = calls
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "tool_calls" if calls else "stop",
    }
    return {"id": "c1", "created": 1_700_000_000, "choices": [choice], "usage": USAGE}


def stream(content: str | None, calls: list[dict[str, Any]] | None = None) -> bytes:
    """The same, in small pieces."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in (content or "")]
    for index, call in enumerate(calls or []):
        function = call["function"]
        head = {"name": function["name"], "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": call["id"], "function": head}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in function["arguments"]
        ]
    chunks: list[dict[str, Any]] = [
        {"id": "c1", "created": 1_700_000_000, "choices": [{"index": 0, "delta": delta}]}
        for delta in deltas
    ]
    finish = "tool_calls" if calls else "stop"
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    chunks.append({"choices": [], "usage": USAGE})
    return b"".join(b"data: %s\n\n" % json.dumps(c).encode() for c in chunks) + b"data: [DONE]\n\n"


Given = tuple[int, bytes]  # a status and a body
Handler = Callable[[dict[str, Any]], Given]


def whole(body: dict[str, Any], status: int = 200) -> Given:
    return status, json.dumps(body).encode()


def answering(
    client: Client, content: str | None, calls: list[dict[str, Any]] | None = None
) -> Handler:
    """A gateway of one answer: it translates the request, and the answer back."""

    def handle(body: dict[str, Any]) -> Given:
        found = between(client, "openai", body, body["model"])
        assert found is not None
        if not body.get("stream"):
            return whole(found.response(completion(content, calls)))
        told = found.stream()
        return 200, told.feed(stream(content, calls)) + told.end()

    return handle


def transport(handle: Handler) -> httpx2.MockTransport:
    """The handler in the place of a network."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        status, content = handle(json.loads(request.content))
        kind = "application/json" if content.startswith(b"{") else "text/event-stream"
        return httpx2.Response(status, content=content, headers={"content-type": kind})

    return httpx2.MockTransport(respond)


KEYS: Any = {"api_key": "k", "max_retries": 0}


@contextmanager
def openai_client(handle: Handler) -> Iterator[openai.OpenAI]:
    with httpx2.Client(transport=transport(handle)) as http:
        yield openai.OpenAI(base_url="http://127.0.0.1/v1", http_client=http, **KEYS)


@contextmanager
def anthropic_client(handle: Handler) -> Iterator[anthropic.Anthropic]:
    with httpx2.Client(transport=transport(handle)) as http:
        yield anthropic.Anthropic(base_url="http://127.0.0.1", http_client=http, **KEYS)


class Sum(BaseModel):
    a: int


ADD: Any = {
    "type": "function",
    "name": "add",
    "parameters": Sum.model_json_schema(),
    "strict": False,
}


# OpenAI's responses


def test_a_response_is_read() -> None:
    with openai_client(answering("responses", "hello 你好")) as client:
        found = client.responses.create(model="m", input="hi", instructions="Be kind.")
    assert found.output_text == "hello 你好"
    assert found.status == "completed"
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == (82, 17)
    assert found.usage.input_tokens_details.cached_tokens == 64


def test_a_response_of_a_schema_is_parsed() -> None:
    with openai_client(answering("responses", '{"a": 7}')) as client:
        found = client.responses.parse(model="m", input="hi", text_format=Sum)
    assert found.output_parsed == Sum(a=7)


def test_a_called_function_is_read() -> None:
    with openai_client(answering("responses", "Wait.", [CALL])) as client:
        found = client.responses.create(model="m", input="hi", tools=[ADD])
    assert [item.type for item in found.output] == ["message", "function_call"]
    call = found.output[1]
    assert call.type == "function_call"
    assert (call.call_id, call.name, json.loads(call.arguments)) == ("call_1", "add", {"a": 1})


def test_a_stream_of_a_response_is_followed_to_its_end() -> None:
    with (
        openai_client(answering("responses", "Wait.", [CALL])) as client,
        client.responses.stream(model="m", input="hi", tools=[ADD]) as events,
    ):
        kinds = [event.type for event in events]
        found = events.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") == 5
    assert found.output_text == "Wait."
    assert found.output[1].type == "function_call"


def test_a_stream_of_a_schema_is_parsed() -> None:
    with (
        openai_client(answering("responses", '{"a": 7}')) as client,
        client.responses.stream(model="m", input="hi", text_format=Sum) as events,
    ):
        assert events.get_final_response().output_parsed == Sum(a=7)


def test_the_asynchronous_client_reads_the_same() -> None:
    async def ask() -> str:
        given = transport(answering("responses", "hello"))
        async with httpx2.AsyncClient(transport=given) as http:
            client = openai.AsyncOpenAI(base_url="http://127.0.0.1/v1", http_client=http, **KEYS)
            events = await client.responses.create(model="m", input="hi", stream=True)
            texts = [e.delta async for e in events if e.type == "response.output_text.delta"]
            return "".join(texts)

    assert asyncio.run(ask()) == "hello"


# Anthropic's messages

TOOL: Any = {"name": "add", "input_schema": Sum.model_json_schema()}
HI: Any = [{"role": "user", "content": "hi"}]


def test_a_message_is_read() -> None:
    with anthropic_client(answering("messages", "hello 你好")) as client:
        found = client.messages.create(model="m", max_tokens=9, messages=HI, system="Be kind.")
    assert found.content[0].type == "text"
    assert found.content[0].text == "hello 你好"
    assert (found.stop_reason, found.model) == ("end_turn", "m")
    assert (found.usage.input_tokens, found.usage.output_tokens) == (18, 17)
    assert found.usage.cache_read_input_tokens == 64


def test_a_used_tool_is_read() -> None:
    with anthropic_client(answering("messages", None, [CALL])) as client:
        found = client.messages.create(model="m", max_tokens=9, messages=HI, tools=[TOOL])
    assert found.stop_reason == "tool_use"
    assert found.content[0].type == "tool_use"
    assert (found.content[0].name, found.content[0].input) == ("add", {"a": 1})


def test_a_stream_of_a_message_is_followed_to_its_end() -> None:
    with (
        anthropic_client(
            answering("messages", "Wait.", [CALL, {**CALL, "id": "call_2"}])
        ) as client,
        client.messages.stream(model="m", max_tokens=9, messages=HI, tools=[TOOL]) as events,
    ):
        texts = list(events.text_stream)
        found = events.get_final_message()
    assert "".join(texts) == "Wait."
    assert [block.type for block in found.content] == ["text", "tool_use", "tool_use"]
    assert found.content[1].type == "tool_use"
    assert found.content[1].input == {"a": 1}
    assert (found.usage.input_tokens, found.usage.output_tokens) == (18, 17)


def test_the_asynchronous_client_of_messages_reads_the_same() -> None:
    async def ask() -> str:
        given = transport(answering("messages", "hello"))
        async with httpx2.AsyncClient(transport=given) as http:
            client = anthropic.AsyncAnthropic(base_url="http://127.0.0.1", http_client=http, **KEYS)
            async with client.messages.stream(model="m", max_tokens=9, messages=HI) as events:
                return await events.get_final_text()

    assert asyncio.run(ask()) == "hello"


# OpenAI's chat completions on Anthropic's servers

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude",
    "content": [
        {"type": "text", "text": '{"a": 7}'},
        {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
    ],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 18, "cache_read_input_tokens": 64, "output_tokens": 17},
}


def test_a_chat_completion_of_an_anthropic_server_is_parsed() -> None:
    def handle(body: dict[str, Any]) -> Given:
        found = between("chat", "anthropic", body, "m")
        assert found is not None
        assert found.request["output_config"]["format"]["schema"]["title"] == "Sum"
        return whole(found.response(MESSAGE))

    with openai_client(handle) as client:
        messages: Any = HI
        found = client.chat.completions.parse(model="m", messages=messages, response_format=Sum)
    assert found.choices[0].message.parsed == Sum(a=7)
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (82, 17)


# Errors


@pytest.mark.parametrize(
    ("status", "ours", "theirs"),
    [
        (401, openai.AuthenticationError, anthropic.AuthenticationError),
        (404, openai.NotFoundError, anthropic.NotFoundError),
        (422, openai.UnprocessableEntityError, anthropic.UnprocessableEntityError),
        (429, openai.RateLimitError, anthropic.RateLimitError),
        (503, openai.InternalServerError, anthropic.InternalServerError),
    ],
)
def test_the_clients_raise_their_own_errors_and_quote_ours(
    status: int, ours: type[Exception], theirs: type[Exception]
) -> None:
    def handle(client: Client) -> Handler:
        return lambda _: whole(error_body(client, status, "Do that.", "c"), status)

    with openai_client(handle("responses")) as client, pytest.raises(ours, match=r"Do that\."):
        client.responses.create(model="m", input="hi")
    with anthropic_client(handle("messages")) as other, pytest.raises(theirs, match=r"Do that\."):
        other.messages.create(model="m", max_tokens=9, messages=HI)


def broken(client: Client) -> Handler:
    """A stream that breaks off after its first words."""

    def handle(body: dict[str, Any]) -> Given:
        found = between(client, "openai", body, "m")
        told = b"" if found is None else found.stream().feed(stream("hello")[:400])
        return 200, told + error_event(client, 502, "The server broke off.")

    return handle


def test_a_stream_that_breaks_off_is_an_error_and_no_short_answer() -> None:
    with openai_client(broken("chat")) as client, pytest.raises(openai.APIError, match="broke off"):
        list(client.chat.completions.create(model="m", messages=HI, stream=True))
    with anthropic_client(broken("messages")) as other:
        events = other.messages.create(model="m", max_tokens=9, messages=HI, stream=True)
        with pytest.raises(anthropic.APIError, match="broke off"):
            list(events)
    with openai_client(broken("responses")) as client:
        kinds = [e.type for e in client.responses.create(model="m", input="hi", stream=True)]
    assert kinds[-1] == "error"
    assert "response.completed" not in kinds
