"""Streams split into events, and what a finished answer said, from its bytes."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feilun.errors import BrokenReply
from feilun.models.sse import Event, Events, Said, Spoken, gather
from feilun.models.sse.events import MOST


def events(*pieces: bytes) -> list[Event]:
    stream = Events()
    return [event for piece in pieces for event in stream.feed(piece)] + stream.end()


def sse(*bodies: Any, named: bool = False) -> bytes:
    lines = [
        (f"event: {body['type']}\n" if named else "")
        + f"data: {json.dumps(body, ensure_ascii=False)}\n\n"
        for body in bodies
    ]
    return "".join(lines).encode()


# Splitting


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", [("", b"a"), ("", b"b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", b"a"), ("", b"b")]),
        (b"data: a\r\rdata: b\r\r", [("", b"a"), ("", b"b")]),
        (b"event: x\ndata:a\ndata: b\n\n", [("x", b"a\nb")]),
        (b"data: a\nevent: x\nid: 7\nretry: 5\n\n", [("x", b"a")]),
        (b": a comment\n\ndata: a\n\n", [("", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("", b"a")]),
        (b"data:  two spaces\n\n", [("", b" two spaces")]),
        (b"data\n\n", [("", b"")]),
        (b"event: lonely\n\n", []),
        (b"\n\n\n\n\ndata: a\n\n\n", [("", b"a")]),
        (b"data: a\n\ndata: cut", [("", b"a"), ("", b"cut")]),
        (b"nonsense\n\n{}\n\n", []),
        (b"event: \xff\ndata: a\n\n", [("\ufffd", b"a")]),
        (b"", []),
    ],
)
def test_a_stream_is_split_as_the_standard_says(
    stream: bytes, expected: list[tuple[str, bytes]]
) -> None:
    assert events(stream) == expected


LINES = st.sampled_from(
    [b"data: a", b"data:b", b"event: x", b": c", b"", b"", b"", b"data", b"\xef\xbb\xbf", b"id: 1"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=30).map(
    lambda rows: b"".join(line + end for line, end in rows)
)


@given(stream=STREAMS, data=st.data())
def test_the_cutting_of_a_stream_makes_no_difference(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    places = sorted({0, *cuts, len(stream)})
    whole = events(stream)
    assert events(*(stream[a:b] for a, b in pairwise(places))) == whole
    assert events(*(stream[i : i + 1] for i in range(len(stream)))) == whole


@given(stream=st.binary(max_size=200))
def test_no_bytes_break_the_splitter(stream: bytes) -> None:
    assert events(stream) == events(*(stream[i : i + 1] for i in range(len(stream))))


def test_an_event_without_end_is_refused_before_it_fills_the_memory() -> None:
    stream, mega = Events(), b"x" * (1 << 20)
    for _ in range(MOST >> 20):
        assert stream.feed(mega) == []
    with pytest.raises(BrokenReply, match="over 8 MB"):
        stream.feed(b"x")
    assert stream.feed(b"\n\ndata: a\n\n") == [Event("", b"a")]


def test_a_line_of_ten_megabytes_is_refused_in_one_piece_too() -> None:
    with pytest.raises(BrokenReply, match="check its URL"):
        events(b"data: " + b"x" * (10 << 20) + b"\n\n")
    assert len(events(b"data: " + b"x" * (7 << 20) + b"\n\n")) == 1


# Chat completions

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}


def chunk(finish: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "model": "m-1", "choices": [choice]}


def chat(**message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return json.dumps({"model": "m-1", "choices": [choice], "usage": USAGE}).encode()


DONE = b"data: [DONE]\n\n"
SPOKEN = Said(
    message={"role": "assistant", "content": "hi 你好"},
    tokens_in=9,
    tokens_cached=5,
    tokens_out=4,
    model="m-1",
    finish="stop",
    whole=True,
)
STREAM = (
    sse(
        chunk(role="assistant", content=""),
        chunk(content="hi "),
        chunk(content="你好"),
        chunk("stop"),
        {"model": "m-1", "choices": [], "usage": USAGE},
    )
    + DONE
)


def test_a_chat_completion_says_its_message_and_its_tokens() -> None:
    assert gather("chat", chat(content="hi 你好")) == SPOKEN
    assert gather("chat", b" \n" + chat(content="hi 你好")) == SPOKEN


@pytest.mark.parametrize(
    "stream",
    [
        STREAM,
        STREAM.removesuffix(DONE),  # some servers forget it
        b": ping\n\n" + STREAM,
        STREAM.replace(b"\n", b"\r\n"),
        STREAM.replace(b"data: ", b"data:"),
    ],
)
def test_a_stream_of_chunks_says_the_same_as_the_whole(stream: bytes) -> None:
    assert gather("chat", stream) == SPOKEN


def test_a_text_that_looks_like_the_end_of_the_stream_is_text() -> None:
    tricky = "\n\ndata: [DONE]\n\ndata: {}"
    found = gather("chat", sse(chunk(content=tricky), chunk("stop", content="!")) + DONE)
    assert found.message == {"role": "assistant", "content": tricky + "!"}
    assert found.whole


def test_pieces_of_tool_calls_are_put_together() -> None:
    def piece(index: int, id: str | None = None, **function: str) -> dict[str, Any]:
        return {"index": index, "id": id, "function": function}

    found = gather(
        "chat",
        sse(
            chunk(tool_calls=[piece(0, "c1", name="add", arguments="")]),
            chunk(tool_calls=[piece(0, arguments='{"a":'), piece(1, "c2", name="now")]),
            chunk(tool_calls=[piece(0, arguments="1}")]),
            chunk("tool_calls"),
        )
        + DONE,
    )
    add = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    now = {"id": "c2", "type": "function", "function": {"name": "now", "arguments": ""}}
    assert found.message == {"role": "assistant", "content": None, "tool_calls": [add, now]}
    assert found.finish == "tool_calls"


def test_thoughts_refusals_and_other_choices_do_not_mix_with_the_answer() -> None:
    stream = sse(
        chunk(reasoning_content="well, "),
        chunk(reasoning="perhaps"),
        chunk(index=1, content="other"),
        chunk(refusal="no"),
        chunk("stop", content="yes"),
    )
    assert gather("chat", stream).message == {
        "role": "assistant",
        "content": "yes",
        "reasoning_content": "well, perhaps",
        "refusal": "no",
    }


def test_a_stream_that_breaks_off_keeps_what_was_said() -> None:
    cut = STREAM[: STREAM.index("你好".encode())]
    found = gather("chat", cut)
    assert found.message == {"role": "assistant", "content": "hi "}
    assert not found.whole


def test_a_server_that_stops_with_an_error_is_quoted_in_a_line() -> None:
    trouble = {"error": {"message": "out of\nmemory " + "x" * 900, "code": 500}}
    found = gather("chat", sse(chunk(content="hi"), trouble))
    assert not found.whole
    assert found.error is not None
    assert found.error.startswith("out of memory x")
    assert len(found.error) == 300
    assert gather("chat", b'{"error": "no such model"}').error == "no such model"


def test_vectors_are_counted_and_not_kept() -> None:
    body = {"data": [{"embedding": [0.1, 0.2]}] * 3, "model": "e", "usage": {"prompt_tokens": 7}}
    assert gather("embeddings", json.dumps(body).encode()) == Said(
        tokens_in=7, tokens_out=0, model="e", vectors=3, whole=True
    )


# Messages and responses


def test_a_message_counts_its_cached_tokens_among_those_it_read() -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 1}
    body = {
        "type": "message",
        "model": "claude",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "x"},
            {"type": "text", "text": "hi 你好"},
            {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {**usage, "output_tokens": 4},
    }
    found = gather("messages", json.dumps(body).encode())
    assert (found.tokens_in, found.tokens_cached, found.tokens_out) == (9, 5, 4)
    assert found.finish == "tool_calls"
    assert found.message == {
        "role": "assistant",
        "content": "hi 你好",
        "reasoning_content": "hm",
        "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
        ],
    }


def message_stream() -> bytes:
    return sse(
        {
            "type": "message_start",
            "message": {"model": "claude", "content": [], "usage": {"input_tokens": 9}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "hi"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "t1", "name": "add", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'},
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 4},
        },
        {"type": "message_stop"},
        named=True,
    )


@pytest.mark.parametrize(
    "stream",
    [
        message_stream(),
        message_stream().replace(b"\n", b"\r\n"),
        message_stream().replace(b"data: ", b"data:"),
        b": ping\n\n" + message_stream(),
    ],
)
def test_a_stream_of_a_message_is_put_together(stream: bytes) -> None:
    found = gather("messages", stream)
    assert found.message is not None
    assert found.message["content"] == "hi"
    assert found.message["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1}'}
    assert (found.tokens_in, found.tokens_out, found.model) == (9, 4, "claude")
    assert (found.finish, found.whole) == ("tool_calls", True)


def test_a_message_without_its_end_is_not_whole() -> None:
    found = gather("messages", message_stream().partition(b"event: message_stop")[0])
    assert found.message is not None
    assert not found.whole
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    found = gather("messages", message_stream()[:300] + b"\n\n" + sse(overloaded, named=True))
    assert not found.whole


def response(status: str = "completed", **extra: Any) -> dict[str, Any]:
    return {
        "object": "response",
        "status": status,
        "model": "gpt",
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": "hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
        ],
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 5},
            "output_tokens": 4,
        },
        **extra,
    }


@pytest.mark.parametrize("ends", [b"\n\n", b"\r\n\r\n", b"\n\n\n"])
def test_a_response_and_its_stream_say_the_same(ends: bytes) -> None:
    whole = gather("responses", json.dumps(response()).encode())
    assert whole.message is not None
    assert whole.message["content"] == "hi"
    assert whole.message["tool_calls"][0]["id"] == "c1"
    assert (whole.tokens_in, whole.tokens_cached, whole.tokens_out) == (9, 5, 4)
    assert (whole.finish, whole.whole) == ("tool_calls", True)
    stream = sse(
        {"type": "response.created", "response": response("in_progress", output=[])},
        {"type": "response.output_text.delta", "delta": "hi"},
        {"type": "response.completed", "response": response()},
        named=True,
    )
    assert gather("responses", stream.replace(b"\n\n", ends)) == whole


def test_a_response_that_breaks_off_keeps_what_was_said() -> None:
    stream = sse(
        {"type": "response.output_text.delta", "delta": "hi "},
        {"type": "response.output_text.delta", "delta": "there"},
        {"type": "error", "message": "gone", "code": "server_error"},
        named=True,
    )
    found = gather("responses", stream)
    assert found.message == {"role": "assistant", "content": "hi there"}
    assert (found.error, found.whole) == ("gone", False)


def test_a_response_that_ran_out_of_tokens_says_so() -> None:
    cut = response("incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert gather("responses", json.dumps(cut).encode()).finish == "length"
    failed = response("failed", error={"code": "server_error", "message": "sorry"})
    found = gather("responses", json.dumps(failed).encode())
    assert (found.error, found.whole) == ("sorry", False)


# Garbage

DIALECTS: tuple[Spoken, ...] = ("chat", "responses", "messages", "embeddings")
GARBAGE = (
    b"",
    b"null",
    b"{}",
    b"[]",
    b"{",
    b"x",
    b'{"choices": []}',
    b'{"choices": [{}]}',
    b'{"choices": [{"message": "x"}]}',
    b'{"choices": 1e999}',
    b'{"content": [1]}',
    b'{"output": [{"type": "message", "content": "x"}], "status": 1}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"choices":' * 100_000,
    b"data: {}\n\n",
    b"data: null\n\ndata: [DONE]\n\n",
    b"data: " + b"[" * 100_000 + b"\n\n",
    b"data: " + b"x" * (10 << 20) + b"\n\n",
    b'event: response.completed\ndata: {"type": "response.completed", "response": 7}\n\n',
    b'data: {"type": "content_block_delta", "index": 1e99}\n\n',
    b'data: {"error": {"message": 5}}\n\n',
)


@pytest.mark.parametrize("spoken", DIALECTS)
@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:40]))
def test_garbage_is_no_answer_and_no_exception(spoken: Spoken, body: bytes) -> None:
    assert gather(spoken, body).whole is False


@given(
    spoken=st.sampled_from(DIALECTS),
    whole=st.sampled_from([STREAM, message_stream(), chat(content="hi")]),
    data=st.data(),
)
def test_no_damage_to_an_answer_raises(spoken: Spoken, whole: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.binary(max_size=4))
    gather(spoken, whole[:at] + damage + whole[at + len(damage) :])
    gather(spoken, whole[:at])
