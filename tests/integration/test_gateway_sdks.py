"""The vendors' own clients and an agent framework, unmodified, against a whole gateway.

Every dialect of clients meets every dialect of engines, and tasks by their names.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import anthropic
import httpx
import openai
import pytest
from gateway_server import Running, running
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from feilun.records import Json
from feilun.testing.kiosk import KIOSK
from feilun.testing.upstream import (
    TEXT,
    Behaviour,
    Exchange,
    Upstream,
    chat,
    chat_stream,
    messages,
    messages_stream,
    model_server,
    responses,
    responses_stream,
)

TOML = """
[engines.other]
url = "{url}"
dialect = "anthropic"
models = ["mock-claude"]

[engines.native]
url = "{url}"
responses = true
models = ["mock-native"]
"""
CHATTING = [
    "mock-small",
    "best",
    "mock-claude",
]  # an engine that chats, an alias, and a translation
SHELF = f"task/{KIOSK.task}"
HI: list[Any] = [{"role": "user", "content": "green tea"}]
PARAMETERS: dict[str, Json] = {
    "type": "object",
    "properties": {"goods": {"type": "string"}},
    "required": ["goods"],
    "additionalProperties": False,
}
TEA: dict[str, Json] = {"goods": "tea"}


class Order(BaseModel):
    """What a customer wants."""

    goods: str
    pieces: int


ORDER = Order(goods="tea", pieces=2)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One gateway for all, on which the kiosk's tasks are declared."""
    with Upstream() as upstream:
        toml = TOML.format(url=upstream.url)
        with running(tmp_path_factory.mktemp("up"), toml, upstream=upstream) as gateway:
            declare(gateway, KIOSK.task, KIOSK.output_schema)
            declare(gateway, "kiosk.order", Order.model_json_schema())
            yield gateway
        assert upstream.failures == []


@pytest.fixture(autouse=True)
def _all_said(up: Running) -> Iterator[None]:
    """What one test wrote for the model to say is no business of the next."""
    yield
    left, up.upstream.script = up.upstream.script, []
    assert left == []


def declare(up: Running, name: str, schema: Json) -> None:
    body = {"instructions": "Help.", "output_schema": schema, "red_line": {"max_loss": 0.1}}
    told = httpx.put(f"{up.url}/v1/tasks/{name}", headers=up.headers, json=body)
    assert told.status_code == 200, told.text


def says(text: str = TEXT, tools: Sequence[tuple[str, dict[str, Json]]] = ()) -> Behaviour:
    """Say this in whatever dialect the engine is asked."""

    async def behave(exchange: Exchange) -> None:
        stream = exchange.request.json.get("stream") is True
        match exchange.request.path:
            case "/v1/messages":
                given = (
                    messages_stream([text], tools=tools) if stream else messages(text, tools=tools)
                )
            case "/v1/responses":
                given = responses_stream([text]) if stream else responses(text)
            case _:
                given = chat_stream([text], tools=tools) if stream else chat(text, tools=tools)
        await given(exchange)

    return behave


def gpt(up: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=up.url + "/v1", api_key=up.key, max_retries=0)


def claude(up: Running) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=up.url, api_key=up.key, max_retries=0)


def stored(up: Running, call: str) -> dict[str, Any]:
    """The call that a header named. It is there as soon as it was answered."""
    found = httpx.get(f"{up.url}/v1/calls/{call}", headers=up.headers)
    assert found.status_code == 200, found.text
    return dict(found.json())


def text_of(message: anthropic.types.Message) -> str:
    """What a message says: one text and nothing else."""
    (part,) = message.content
    assert part.type == "text"
    return part.text


# OpenAI's client, chat completions


@pytest.mark.parametrize("model", CHATTING)
def test_a_chat_comes_back_whole_and_is_stored_as_it_was_asked(up: Running, model: str) -> None:
    with gpt(up) as client:
        told = client.chat.completions.with_raw_response.create(model=model, messages=HI)
    said = told.parse()
    assert (said.choices[0].message.content, said.choices[0].finish_reason) == (TEXT, "stop")
    assert said.usage is not None
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens > 0
    assert told.headers["x-feilun-task"] == "raw"
    call = stored(up, told.headers["x-feilun-call"])
    assert (call["task"], call["by"], call["why_teacher"]) == ("raw", "teacher", "no_task")
    assert "ended" not in call  # it is whole
    assert call["variant"] == told.headers["x-feilun-variant"] != "best"
    assert (call["input"]["messages"], call["output"]["content"]) == (HI, TEXT)
    assert call["tokens_out"] == said.usage.completion_tokens


@pytest.mark.parametrize("model", CHATTING)
def test_a_chat_streams_with_its_usage_at_the_end(up: Running, model: str) -> None:
    with gpt(up) as client:
        chunks = list(
            client.chat.completions.create(
                model=model, messages=HI, stream=True, stream_options={"include_usage": True}
            )
        )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_a_stream_that_did_not_ask_for_usage_is_told_none(up: Running) -> None:
    with gpt(up) as client:
        told = client.chat.completions.with_raw_response.create(
            model="mock-small", messages=HI, stream=True
        )
        chunks = list(told.parse())
    assert all(c.choices and c.usage is None for c in chunks)
    assert stored(up, told.headers["x-feilun-call"])["tokens_out"] > 0


@pytest.mark.parametrize("model", CHATTING)
def test_the_asynchronous_client_asks_many_at_a_time(up: Running, model: str) -> None:
    async def ask() -> list[str | None]:
        async with openai.AsyncOpenAI(base_url=up.url + "/v1", api_key=up.key) as client:
            asking = [client.chat.completions.create(model=model, messages=HI) for _ in range(8)]
            told = await asyncio.gather(*asking)
            stream = await client.chat.completions.create(model=model, messages=HI, stream=True)
            streamed = [c.choices[0].delta.content or "" async for c in stream if c.choices]
        return [*(one.choices[0].message.content for one in told), "".join(streamed)]

    assert asyncio.run(ask()) == [TEXT] * 9


@pytest.mark.parametrize("model", CHATTING)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_model_calls_a_function_and_reads_what_it_gave(
    up: Running, model: str, stream: bool
) -> None:
    tool: Any = {"type": "function", "function": {"name": "shelf", "parameters": PARAMETERS}}
    up.upstream.script = [says("", [("shelf", TEA)]), says("With the drinks.")]
    with gpt(up) as client:
        if stream:
            with client.chat.completions.stream(model=model, messages=HI, tools=[tool]) as events:
                message: Any = events.get_final_completion().choices[0].message
        else:
            told = client.chat.completions.create(model=model, messages=HI, tools=[tool])
            message = told.choices[0].message
        called = message.tool_calls[0]
        assert (called.function.name, json.loads(called.function.arguments)) == ("shelf", TEA)
        gave: Any = {"role": "tool", "tool_call_id": called.id, "content": "drinks"}
        asked: Any = {"role": "assistant", "tool_calls": [
            {"id": called.id, "type": "function",
             "function": {"name": "shelf", "arguments": called.function.arguments}}
        ]}  # fmt: skip
        last = client.chat.completions.create(
            model=model, messages=[*HI, asked, gave], tools=[tool]
        )
    assert last.choices[0].message.content == "With the drinks."
    assert called.id in up.upstream.requests[-1].body.decode()


@pytest.mark.parametrize("model", ["mock-small", "task/kiosk.order"])
def test_an_answer_is_parsed_into_the_type_that_was_asked_for(up: Running, model: str) -> None:
    up.upstream.script = [says(ORDER.model_dump_json())]
    with gpt(up) as client:
        told = client.chat.completions.parse(model=model, messages=HI, response_format=Order)
    assert told.choices[0].message.parsed == ORDER


def test_a_wrong_key_and_a_wrong_model_are_the_clients_own_errors(up: Running) -> None:
    with gpt(up) as client:
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="mock-none", messages=HI)
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="fl_live_wrong").models.list()
    with claude(up) as other:
        with pytest.raises(anthropic.NotFoundError):
            other.messages.create(model="mock-none", max_tokens=9, messages=HI)
        with pytest.raises(anthropic.AuthenticationError):
            other.with_options(api_key="fl_live_wrong").messages.create(
                model="mock-small", max_tokens=9, messages=HI
            )


# OpenAI's client, responses and the rest

ANSWERING = [*CHATTING, "mock-native"]


@pytest.mark.parametrize("model", ANSWERING)
def test_a_response_comes_whole_and_streamed(up: Running, model: str) -> None:
    with gpt(up) as client:
        told = client.responses.create(model=model, input="green tea", instructions="Be kind.")
        assert (told.output_text, told.status) == (TEXT, "completed")
        assert told.usage is not None
        with client.responses.stream(model=model, input="green tea") as events:
            deltas = [e.delta for e in events if e.type == "response.output_text.delta"]
            last = events.get_final_response()
    assert "".join(deltas) == last.output_text == TEXT


@pytest.mark.parametrize("model", ["mock-small", "mock-native", "task/kiosk.order"])
def test_a_response_is_parsed_into_the_type_that_was_asked_for(up: Running, model: str) -> None:
    up.upstream.script = [says(ORDER.model_dump_json())]
    with gpt(up) as client:
        told = client.responses.parse(model=model, input="two teas", text_format=Order)
    assert told.output_parsed == ORDER


def test_a_response_calls_a_function(up: Running) -> None:
    tool: Any = {"type": "function", "name": "shelf", "parameters": PARAMETERS, "strict": True}
    up.upstream.script = [says("", [("shelf", TEA)])]
    with gpt(up) as client:
        told = client.responses.create(model="mock-small", input="green tea", tools=[tool])
    called: Any = next(item for item in told.output if item.type == "function_call")
    assert (called.name, json.loads(called.arguments)) == ("shelf", TEA)


def test_embeddings_pass_and_models_are_listed(up: Running) -> None:
    with gpt(up) as client:
        told = client.embeddings.create(
            model="mock-small", input=["tea", "cola"], encoding_format="float"
        )
        listed = {model.id for model in client.models.list()}
    assert [row.embedding for row in told.data] == [[0.0, 0.5, -0.5, 1.0], [1.0, 0.5, -0.5, 1.0]]
    assert {"best", "mock-small", "mock-large", "mock-claude", "mock-native"} <= listed


# Anthropic's client


@pytest.mark.parametrize("model", CHATTING)
def test_a_message_comes_whole_and_streamed(up: Running, model: str) -> None:
    with claude(up) as client:
        told = client.messages.create(model=model, max_tokens=99, system="Be kind.", messages=HI)
        with client.messages.stream(model=model, max_tokens=99, messages=HI) as stream:
            streamed = "".join(stream.text_stream)
            last = stream.get_final_message()
    assert (text_of(told), told.stop_reason, streamed) == (TEXT, "end_turn", TEXT)
    assert told.usage.output_tokens > 0
    assert last.stop_reason == "end_turn"
    assert last.usage.output_tokens > 0


@pytest.mark.parametrize("model", CHATTING)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_message_uses_a_tool_and_reads_its_result(up: Running, model: str, stream: bool) -> None:
    up.upstream.script = [says("", [("shelf", TEA)]), says("With the drinks.")]
    more: Any = {"model": model, "max_tokens": 99,
                 "tools": [{"name": "shelf", "input_schema": PARAMETERS}]}  # fmt: skip
    with claude(up) as client:
        if stream:
            with client.messages.stream(messages=HI, **more) as events:
                told = events.get_final_message()
        else:
            told = client.messages.create(messages=HI, **more)
        used: Any = next(part for part in told.content if part.type == "tool_use")
        assert (used.name, used.input, told.stop_reason) == ("shelf", TEA, "tool_use")
        asked: Any = {
            "role": "assistant",
            "content": [used.model_dump(include={"type", "id", "name", "input"})],
        }
        result = {"type": "tool_result", "tool_use_id": used.id, "content": "drinks"}
        gave: Any = {"role": "user", "content": [result]}
        last = client.messages.create(messages=[*HI, asked, gave], **more)
    assert text_of(last) == "With the drinks."
    assert used.id in up.upstream.requests[-1].body.decode()


def test_the_asynchronous_client_of_messages_works_too(up: Running) -> None:
    async def ask() -> tuple[str, str]:
        async with anthropic.AsyncAnthropic(base_url=up.url, api_key=up.key) as client:
            more: Any = {"max_tokens": 99, "messages": HI}
            told = await client.messages.create(model="mock-small", **more)
            async with client.messages.stream(model="mock-claude", **more) as stream:
                return text_of(told), await stream.get_final_text()

    assert asyncio.run(ask()) == (TEXT, TEXT)


# Tasks by their names


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("spoken", ["chat", "responses", "messages"])
def test_a_task_answers_in_the_words_of_every_dialect(
    up: Running, spoken: Literal["chat", "responses", "messages"], stream: bool
) -> None:
    up.upstream.script = [says("drinks")]
    with gpt(up) as one, claude(up) as other:
        more: Any = {"model": SHELF}
        match spoken, stream:
            case "chat", False:
                told = one.chat.completions.create(messages=HI, **more)
                said: Any = told.choices[0].message.content
            case "chat", True:
                chunks = one.chat.completions.create(messages=HI, stream=True, **more)
                said = "".join(c.choices[0].delta.content or "" for c in chunks)
            case "responses", False:
                said = one.responses.create(input="green tea", **more).output_text
            case "responses", True:
                with one.responses.stream(input="green tea", **more) as events:
                    said = events.get_final_response().output_text
            case "messages", False:
                said = other.messages.create(messages=HI, max_tokens=9, **more).content[0].text
            case _:
                with other.messages.stream(messages=HI, max_tokens=9, **more) as events:
                    said = events.get_final_text()
    assert said == "drinks"


def test_a_call_of_a_task_by_a_chat_is_stored_as_its_call(up: Running) -> None:
    up.upstream.script = [says("drinks")]
    with gpt(up) as client:
        told = client.chat.completions.with_raw_response.create(model=SHELF, messages=HI)
    assert told.headers["x-feilun-task"] == KIOSK.task
    assert told.headers["x-feilun-variant"] == "mock-small"
    call = stored(up, told.headers["x-feilun-call"])
    assert (call["task"], call["input"], call["output"]) == (KIOSK.task, "green tea", "drinks")
    assert (call["why_teacher"], call["audit_rate"]) == ("no_release", 1.0)


# An agent framework


@pytest.mark.parametrize("kind", [OpenAIChatModel, OpenAIResponsesModel], ids=["chat", "responses"])
def test_an_agent_uses_its_tool_through_the_gateway(up: Running, kind: Any) -> None:
    up.upstream.script = [says("", [("shelf", TEA)]), says("With the drinks.")]
    asked = []

    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=up.url + "/v1", api_key=up.key) as client:
            agent = Agent(kind("mock-small", provider=OpenAIProvider(openai_client=client)))

            @agent.tool_plain
            def shelf(goods: str) -> str:
                """Say on which shelf goods stand."""
                asked.append(goods)
                return "drinks"

            return (await agent.run("Where is the tea?")).output

    assert (asyncio.run(run()), asked) == ("With the drinks.", ["tea"])
    assert "drinks" in up.upstream.requests[-1].body.decode()


def test_an_agent_may_ask_a_task_as_its_model(up: Running) -> None:
    up.upstream.script = [says("drinks")]

    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=up.url + "/v1", api_key=up.key) as client:
            agent = Agent(OpenAIChatModel(SHELF, provider=OpenAIProvider(openai_client=client)))
            return (await agent.run("green tea")).output

    assert asyncio.run(run()) == "drinks"


# Feilun's own API


def test_the_same_idempotency_key_is_the_same_call_and_asks_the_model_once(up: Running) -> None:
    up.upstream.script = [says("drinks")]
    repeated = {**up.headers, "idempotency-key": "01JZZZZZZZZZZZZZZZZZZZZZZZ"}
    asked = len(up.upstream.requests)
    url = f"{up.url}/v1/tasks/{KIOSK.task}/calls"
    first = httpx.post(url, headers=repeated, json={"input": "green tea"})
    again = httpx.post(url, headers=repeated, json={"input": "green tea"})
    assert (first.status_code, first.json()) == (200, again.json())
    assert first.json()["id"] == first.headers["x-feilun-call"] == repeated["idempotency-key"]
    assert len(up.upstream.requests) == asked + 1
    other = f"{up.url}/v1/tasks/kiosk.order/calls"
    assert httpx.post(other, headers=repeated, json={"input": "green tea"}).status_code == 409
    assert httpx.post(url, headers=repeated, json={"input": "cola"}).status_code == 409


def test_repeats_that_race_ask_the_model_once_and_are_all_given_its_answer(up: Running) -> None:
    url = f"{up.url}/v1/tasks/{KIOSK.task}/calls"
    repeated = {**up.headers, "idempotency-key": "01JYYYYYYYYYYYYYYYYYYYYYYY"}
    asked = len(up.upstream.requests)
    up.upstream.behave(says("drinks"))

    async def race() -> list[httpx.Response]:
        async with httpx.AsyncClient(headers=repeated) as client:
            return await asyncio.gather(
                *(client.post(url, json={"input": "tea"}) for _ in range(4))
            )

    told = asyncio.run(race())
    up.upstream.behave(model_server)
    assert [one.status_code for one in told] == [200] * 4
    assert all(one.json() == told[0].json() for one in told)
    assert len(up.upstream.requests) == asked + 1


def test_a_raw_call_takes_feedback_by_the_id_in_its_header(up: Running) -> None:
    with gpt(up) as client:
        told = client.chat.completions.with_raw_response.create(model="best", messages=HI)
    call = told.headers["x-feilun-call"]
    given = httpx.post(
        f"{up.url}/v1/calls/{call}/feedback", headers=up.headers,
        json={"said": "rejected", "reason": "too long"},
    )  # fmt: skip
    assert given.status_code == 201, given.text
    assert (given.json()["call"], given.json()["reason"]) == (call, "too long")


def test_a_thousand_calls_one_after_the_other_open_one_connection_upstream(tmp_path: Path) -> None:
    with running(tmp_path) as fresh, httpx.Client(headers=fresh.headers) as client:
        for _ in range(1000):
            told = client.post(
                f"{fresh.url}/v1/chat/completions", json={"model": "best", "messages": HI}
            )
            assert told.status_code == 200
        assert len(fresh.upstream.requests) == 1000
        assert fresh.upstream.connections_opened == 1
