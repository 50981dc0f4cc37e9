"""A task's call as a chat completion: how it is asked, and what the reply says."""

from typing import Any

import pytest

from feilun.errors import BrokenReply, TaskError
from feilun.models import chat
from feilun.records import RedLine, Task
from feilun.tasks import declare, messages
from feilun.testing.kiosk import KIOSK

LINE = RedLine(max_loss=0.1)
TEXT: Task = declare("sum.up", "Sum it up.", {"type": "string"}, {"type": "string"}, LINE)


def reply(content: Any = '"drinks"', finish: str = "stop", usage: Any = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


def test_a_label_is_asked_for_with_the_labels_that_there_are() -> None:
    body = chat.request(KIOSK, "tea", "m-1")
    assert body["model"] == "m-1"
    assert body["messages"] == messages(KIOSK, "tea")
    assert body["temperature"] == 0
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema == {"type": "string", "enum": ["drinks", "fruit", "bakery", "papers"]}


def test_open_text_is_asked_for_without_a_schema_and_with_more_room() -> None:
    body = chat.request(TEXT, "a long story", "m-1")
    assert "response_format" not in body
    assert body["max_tokens"] > chat.request(KIOSK, "tea", "m-1")["max_tokens"]


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        ("Unsupported value: 'temperature' does not support 0", "temperature"),
        ("This response_format type is unavailable now", "response_format"),
        ("Invalid schema: must be of type object", "response_format"),
        ("", "response_format"),
    ],
)
def test_what_a_server_refuses_is_left_out(said: str, gone: str) -> None:
    body = chat.request(KIOSK, "tea", "m-1")
    milder = chat.milder(body, 400, said)
    assert milder is not None
    assert set(body) - set(milder) == {gone}


def test_models_with_the_newer_limit_get_it() -> None:
    body = chat.request(TEXT, "tea", "m-1")
    milder = chat.milder(body, 400, "'max_tokens' is not supported. Use 'max_completion_tokens'.")
    assert milder is not None
    assert milder["max_completion_tokens"] == body["max_tokens"]
    assert "max_tokens" not in milder


def test_a_request_gets_milder_until_nothing_is_left_to_leave_out() -> None:
    body: dict[str, Any] | None = chat.request(KIOSK, "tea", "m-1")
    steps = 0
    while body is not None:
        last, body = body, chat.milder(body, 422, "max_tokens temperature response_format")
        steps += 1
    assert steps == 4
    assert set(last) == {"model", "messages", "max_completion_tokens"}


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_other_refusals_are_not_about_the_body(status: int) -> None:
    assert chat.milder(chat.request(KIOSK, "tea", "m"), status, "response_format") is None


def test_an_answer_brings_its_tokens_and_its_time() -> None:
    usage = {
        "prompt_tokens": 90,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 64},
    }
    found = chat.answer(KIOSK, reply(usage=usage), 0.25, "gpu-0")
    assert (found.output, found.seconds, found.device) == ("drinks", 0.25, "gpu-0")
    assert (found.tokens_in, found.tokens_cached, found.tokens_out) == (90, 64, 3)


@pytest.mark.parametrize(
    "usage",
    [None, "x", {}, {"prompt_tokens": 3}, {"prompt_tokens": -1, "completion_tokens": True}],
)
def test_tokens_that_were_not_counted_are_unknown(usage: Any) -> None:
    found = chat.answer(KIOSK, reply(usage=usage), 1.0)
    assert (found.tokens_in, found.tokens_cached, found.tokens_out) == (None, None, None)


def test_a_cache_never_held_more_than_was_read() -> None:
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 9},
    }
    assert chat.answer(KIOSK, reply(usage=usage), 1.0).tokens_cached == 5


@pytest.mark.parametrize(
    "response",
    [None, [], "x", 3, {}, {"choices": []}, {"choices": {}}, {"choices": [1]}, {"choices": [{}]}],
)
def test_what_is_no_completion_is_a_broken_reply_that_names_the_task(response: Any) -> None:
    with pytest.raises(BrokenReply, match=r"kiosk\.shelf"):
        chat.answer(KIOSK, response, 1.0)


def test_an_answer_that_ran_out_of_tokens_is_no_answer() -> None:
    with pytest.raises(BrokenReply, match="ran out of tokens"):
        chat.answer(TEXT, reply("half a sen", finish="length"), 1.0)


def test_an_answer_that_the_task_does_not_allow_is_not_repeated_in_the_error() -> None:
    with pytest.raises(TaskError, match="none of the 4 labels") as caught:
        chat.answer(KIOSK, reply("a secret"), 1.0)
    assert "secret" not in str(caught.value)
