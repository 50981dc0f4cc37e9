"""Translating requests and answers: what is refused, what may be let go, what is no answer."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feilun.errors import BrokenReply, TaskError
from feilun.models.dialects import (
    Client,
    anthropic,
    between,
    error_body,
    error_event,
    error_said,
    messages,
    responses,
)
from feilun.models.wire import Dialect
from feilun.records import Json

HI = [{"role": "user", "content": "hi"}]
ASKED: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", "messages": HI},
    "messages": {"model": "m", "max_tokens": 9, "messages": HI},
    "responses": {"model": "m", "input": "hi"},
}
TRANSLATE: dict[str, Callable[[Json], dict[str, Json]]] = {
    "chat": anthropic.from_chat_request,
    "messages": messages.to_chat,
    "responses": responses.to_chat,
}


def translated(client: str, **changed: Any) -> dict[str, Json]:
    return TRANSLATE[client]({**ASKED[client], **changed})


# Which pairs


@pytest.mark.parametrize(("client", "server"), [("chat", "openai"), ("messages", "anthropic")])
def test_where_both_speak_the_same_nothing_is_translated(client: Client, server: Dialect) -> None:
    assert between(client, server, ASKED[client], "m") is None


def test_the_least_of_each_dialect_is_translated() -> None:
    assert translated("messages") == {"model": "m", "messages": HI, "max_tokens": 9}
    assert translated("responses") == {"model": "m", "messages": HI}
    blocks = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert translated("chat") == {"model": "m", "messages": blocks, "max_tokens": 4096}


def test_a_stream_is_asked_to_count_its_tokens() -> None:
    for client in ("messages", "responses"):
        asked = translated(client, stream=True)
        assert asked["stream_options"] == {"include_usage": True}
    assert "stream_options" not in translated("chat", stream=True, stream_options={})


def test_a_tool_that_failed_says_so_in_its_text() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "no such city"}
    asked = translated(
        "messages", messages=[{"role": "user", "content": [{**result, "is_error": True}]}]
    )
    assert asked["messages"] == [
        {"role": "tool", "tool_call_id": "t", "content": "Error: no such city"}
    ]


# What is refused, and what may go


@pytest.mark.parametrize(
    ("client", "changed", "message"),
    [
        ("chat", {"n": 2}, "n: this model's server cannot"),
        ("chat", {"logprobs": True}, "logprobs: .*cannot do that"),
        ("chat", {"logit_bias": {"5": 1}}, "logit_bias: "),
        ("chat", {"temperature": 1.5}, "temperature: .* 0 to 1"),
        ("chat", {"response_format": {"type": "json_object"}}, "json_schema' only"),
        ("chat", {"functions": []}, "functions: is the old form"),
        ("chat", {"web_search_options": {}}, "web_search_options: cannot be passed on"),
        ("chat", {"messages": [{"role": "function", "content": "x"}]}, r"messages\[0\].role"),
        (
            "chat",
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            r"messages\[0\].content\[0\]: a part of type 'input_audio'",
        ),
        (
            "chat",
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "[1]"}}],
                    }
                ]
            },
            r"tool_calls\[0\].function.arguments: must be a JSON object",
        ),
        ("messages", {"max_tokens": None}, "max_tokens: is missing"),
        ("messages", {"mcp_servers": []}, "mcp_servers: cannot be passed on"),
        (
            "messages",
            {"tools": [{"type": "bash_20250124", "name": "b"}]},
            r"tools\[0\].type: 'bash",
        ),
        ("messages", {"tool_choice": {"type": "maybe"}}, "tool_choice.type: must be"),
        ("messages", {"messages": [{"role": "assistant", "content": "{"}]}, "the last one must be"),
        (
            "messages",
            {"messages": [{"role": "system", "content": "x"}]},
            "Give `system` at the top",
        ),
        (
            "messages",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}],
                    }
                ]
            },
            "as base64 or by URL",
        ),
        ("responses", {"previous_response_id": "resp_1"}, "Send the whole conversation in `input`"),
        ("responses", {"conversation": "conv_1"}, "conversation: nothing is kept"),
        ("responses", {"background": True}, "background: answers are given at once"),
        ("responses", {"include": ["file_search_call.results"]}, r"include\[0\]: "),
        ("responses", {"tools": [{"type": "web_search"}]}, r"tools\[0\].type: 'web_search'"),
        ("responses", {"input": [{"type": "item_reference", "id": "x"}]}, "Send the item itself"),
        ("responses", {"input": [{"type": "computer_call"}]}, "'computer_call' cannot be passed"),
        ("responses", {"tool_choice": "any"}, "tool_choice: must be"),
        ("responses", {"context_management": [{}]}, "context_management: cannot be passed on"),
    ],
)
def test_what_cannot_be_translated_is_refused_by_name(
    client: str, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(TaskError, match=message):
        translated(client, **changed)


@pytest.mark.parametrize(
    ("client", "changed"),
    [
        ("chat", {"seed": 1, "store": True, "metadata": {"a": "b"}, "n": 1, "logit_bias": {}}),
        ("chat", {"reasoning_effort": "low", "service_tier": "auto", "modalities": ["text"]}),
        ("messages", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("messages", {"service_tier": "auto", "cache_control": {"type": "ephemeral"}}),
        ("responses", {"store": True, "truncation": "auto", "metadata": {"a": "b"}}),
        ("responses", {"tool_choice": "auto", "parallel_tool_calls": True, "tools": []}),
        ("responses", {"temperature": None, "previous_response_id": None, "tools": None}),
    ],
)
def test_what_changes_no_answer_may_go(client: str, changed: dict[str, Any]) -> None:
    assert translated(client, **changed) == translated(client)


# Hostile bodies

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
PLACES = [
    "model", "messages", "input", "max_tokens", "system", "tools", "tool_choice", "stop",
    "stop_sequences", "response_format", "text", "reasoning", "output_config", "metadata",
    "temperature", "stream", "stream_options", "include", "instructions", "user", "n",
]  # fmt: skip


def deep(levels: int) -> Json:
    value: Json = {}
    for _ in range(levels):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize("client", ASKED)
@pytest.mark.parametrize("body", [None, [], "x", 5, True, 1e999, [{}], {}], ids=repr)
def test_a_body_that_is_no_request_is_named(client: str, body: Json) -> None:
    with pytest.raises(TaskError, match=r"the body: must be an object|: is missing"):
        TRANSLATE[client](body)


@given(client=st.sampled_from(sorted(ASKED)), place=st.sampled_from(PLACES), value=JSON)
def test_no_value_of_any_field_is_more_than_an_error_of_the_request(
    client: str, place: str, value: Json
) -> None:
    with suppress(TaskError):
        translated(client, **{place: value})


@given(client=st.sampled_from(sorted(ASKED)), item=JSON, kind=st.text(max_size=8))
def test_no_item_of_a_conversation_is_more_than_an_error_of_the_request(
    client: str, item: Json, kind: str
) -> None:
    for content in (item, [item], [{"type": "text", "text": item}], [{"type": kind}]):
        for role in ("user", "assistant", "tool", kind):
            turn = {"role": role, "content": content}
            with suppress(TaskError):
                translated(client, **{"input" if client == "responses" else "messages": [turn]})


@pytest.mark.parametrize("client", ASKED)
def test_nesting_without_end_is_refused_or_passed_on_and_never_followed(client: str) -> None:
    parameters = {"chat": "parameters", "messages": "input_schema", "responses": "parameters"}
    tool = {"name": "f", parameters[client]: deep(100_000)}
    if client == "chat":
        tool = {"type": "function", "function": tool}
    if client == "responses":
        tool["type"] = "function"
    assert translated(client, tools=[tool])["tools"]
    use = {"type": "tool_use", "id": "t", "name": "f", "input": deep(100_000)}
    with pytest.raises(TaskError):
        translated("messages", messages=[{"role": "assistant", "content": [use]}])
    arguments = "[" * 100_000
    call = {"id": "t", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(TaskError, match="must be a JSON object"):
        translated("chat", messages=[{"role": "assistant", "tool_calls": [call]}])


@pytest.mark.parametrize(
    ("client", "server"),
    [
        ("messages", "openai"),
        ("responses", "openai"),
        ("responses", "anthropic"),
        ("chat", "anthropic"),
    ],
)
def test_a_request_is_taken_only_where_its_answer_can_repeat_it(
    client: Client, server: Dialect
) -> None:
    tools = [{"type": "function", "name": "f", "parameters": deep(90)}]
    assert between("responses", "openai", {**ASKED["responses"], "tools": tools}, "m")
    with pytest.raises(TaskError, match="deeper than 200 levels"):
        between(client, server, {**ASKED[client], "tools": [deep(100)]}, "m")
    with pytest.raises(TaskError, match="must be an object"):
        between(client, server, [], "m")


# Answers

ANSWERS: dict[str, Callable[[Json], dict[str, Json]]] = {
    "messages": lambda answer: messages.from_chat(answer, "m"),
    "responses": lambda answer: responses.from_chat(answer, "m", ASKED["responses"]),
    "chat": anthropic.to_chat_response,
}


@pytest.mark.parametrize("client", ANSWERS)
@pytest.mark.parametrize(
    "answer",
    [
        None, [], {}, "x", {"choices": []}, {"choices": [{}]}, {"choices": [{"message": 1}]},
        {"choices": [{"message": {"tool_calls": [{}]}}]}, {"content": "x"}, {"content": [1]},
        {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": "x"}},
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_answer_is_a_broken_reply(client: str, answer: Json) -> None:
    with pytest.raises(BrokenReply, match="something else"):
        ANSWERS[client](answer)


@given(
    client=st.sampled_from(sorted(ANSWERS)),
    message=JSON,
    place=st.sampled_from(
        [
            "content",
            "tool_calls",
            "refusal",
            "usage",
            "choices",
            "stop_reason",
            "id",
            "finish_reason",
        ]
    ),
)
def test_no_answer_is_more_than_a_broken_reply(client: str, message: Json, place: str) -> None:
    choice = {"message": {"content": "x", place: message}, "finish_reason": "stop", place: message}
    whole = {"content": [{"type": "text"}], "choices": [choice], place: message}
    for answer in (message, whole, {**whole, "content": [message]}):
        with suppress(BrokenReply):
            ANSWERS[client](answer)


def completion(finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"id": "1", "choices": [{"message": message, "finish_reason": finish}]}


def test_a_refusal_is_told_in_each_dialect() -> None:
    answer = completion("content_filter", content=None, refusal="I will not.")
    told = ANSWERS["messages"](answer)
    assert told["stop_reason"] == "refusal"
    assert told["content"] == [{"type": "text", "text": "I will not."}]
    told = ANSWERS["responses"](answer)
    assert told["output"][0]["content"] == [{"type": "refusal", "refusal": "I will not."}]
    assert (told["status"], told["incomplete_details"]) == (
        "incomplete",
        {"reason": "content_filter"},
    )


def test_an_answer_that_was_cut_says_so() -> None:
    answer = completion("length", content="half a sen")
    assert ANSWERS["messages"](answer)["stop_reason"] == "max_tokens"
    told = ANSWERS["responses"](answer)
    assert told["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_server_that_calls_a_tool_and_says_stop_has_called_a_tool() -> None:
    call = {"function": {"name": "f", "arguments": ""}}
    told = ANSWERS["messages"](completion("stop", content=None, tool_calls=[call]))
    assert told["stop_reason"] == "tool_use"
    assert told["content"] == [{"type": "tool_use", "id": "call_0", "name": "f", "input": {}}]


def test_arguments_that_are_no_json_are_no_answer_to_a_client_that_wants_objects() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": '{"a":'}}
    with pytest.raises(BrokenReply, match="arguments that are no JSON"):
        ANSWERS["messages"](completion(tool_calls=[call]))


# Errors


@pytest.mark.parametrize(
    ("status", "openai", "theirs"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (404, "invalid_request_error", "not_found_error"),
        (413, "invalid_request_error", "request_too_large"),
        (418, "invalid_request_error", "invalid_request_error"),
        (429, "rate_limit_error", "rate_limit_error"),
        (500, "api_error", "api_error"),
        (502, "api_error", "api_error"),
        (503, "service_unavailable_error", "overloaded_error"),
    ],
)
def test_an_error_has_the_type_that_each_client_knows(
    status: int, openai: str, theirs: str
) -> None:
    for client in ("chat", "responses"):
        assert error_body(client, status, "No.", "c", "p") == {
            "error": {"message": "No.", "type": openai, "code": "c", "param": "p"}
        }
    assert error_body("messages", status, "No.") == {
        "type": "error",
        "error": {"type": theirs, "message": "No."},
    }


def test_what_a_server_said_is_read_back_from_every_shape() -> None:
    assert error_said(b'{"error": {"message": "No\\nroom."}}') == "No room."
    assert error_said(b'{"type":"error","error":{"type":"overloaded_error"}}') == "overloaded_error"
    assert error_said(b'{"error": "no such model"}') == "no such model"
    assert error_said(b'{"detail": "Not Found"}') == "Not Found"
    for nothing in (b"", b"<html>", b"[]", b'{"error": 5}', b"[" * 100_000, b"{}"):
        assert error_said(nothing) is None


def test_a_stream_that_cannot_go_on_ends_in_the_words_of_its_dialect() -> None:
    assert error_event("chat", 502, "Gone.").startswith(b'data: {"error":{"message":"Gone."')
    assert error_event("messages", 503, "Gone.").startswith(
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"'
    )
    assert b'"message":"Gone."' in error_event("responses", 502, "Gone.")
