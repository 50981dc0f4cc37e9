"""Translating streams that go wrong: a broken answer never looks like a whole one."""

import json
from typing import Any

import pytest

from feilun.errors import BrokenReply
from feilun.models.dialects import Client, Stream, between
from feilun.models.wire import Dialect

HI = [{"role": "user", "content": "hi"}]
PAIRS: list[tuple[Client, Dialect, dict[str, Any]]] = [
    ("messages", "openai", {"model": "m", "max_tokens": 9, "messages": HI}),
    ("responses", "openai", {"model": "m", "input": "hi"}),
    ("chat", "anthropic", {"model": "m", "messages": HI}),
    ("responses", "anthropic", {"model": "m", "input": "hi"}),
]
ENDS = (b"[DONE]", b"message_stop", b"response.completed")


def opened(client: Client, server: Dialect, body: dict[str, Any]) -> Stream:
    found = between(client, server, body, "m")
    assert found is not None
    return found.stream()


def sse(*events: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def tool(index: int, **function: str) -> dict[str, Any]:
    return chunk(tool_calls=[{"index": index, "id": f"c{index}", "function": function}])


BEGUN: dict[Dialect, bytes] = {
    "openai": sse(chunk(role="assistant"), chunk(content="hel")),
    "anthropic": sse(
        {"type": "message_start", "message": {"id": "1"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "h"}},
    ),
}


@pytest.mark.parametrize(("client", "server", "body"), PAIRS)
def test_a_stream_that_is_cut_off_does_not_end(
    client: Client, server: Dialect, body: dict[str, Any]
) -> None:
    stream = opened(client, server, body)
    told = stream.feed(BEGUN[server])
    assert told
    assert not any(end in told for end in ENDS)
    with pytest.raises(BrokenReply, match="ended before its answer was whole"):
        stream.end()


@pytest.mark.parametrize(("client", "server", "body"), PAIRS)
@pytest.mark.parametrize(
    "bad",
    [
        b"data: {not json\n\n",
        b"data: []\n\n",
        b"data: null\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
        sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        b"data: " + b"x" * (10 << 20) + b"\n\n",
    ],
    ids=["not json", "a list", "null", "deep", "an error", "10 MB"],
)
def test_a_bad_event_breaks_the_answer(
    client: Client, server: Dialect, body: dict[str, Any], bad: bytes
) -> None:
    stream = opened(client, server, body)
    stream.feed(BEGUN[server])
    with pytest.raises(BrokenReply):
        stream.feed(bad)


@pytest.mark.parametrize(("client", "server", "body"), PAIRS)
def test_an_empty_stream_is_no_answer(
    client: Client, server: Dialect, body: dict[str, Any]
) -> None:
    with pytest.raises(BrokenReply):
        opened(client, server, body).end()


@pytest.mark.parametrize(("client", "server", "body"), PAIRS[:2])
def test_a_server_that_forgets_to_say_done_has_answered(
    client: Client, server: Dialect, body: dict[str, Any]
) -> None:
    stream = opened(client, server, body)
    told = stream.feed(BEGUN[server] + sse(chunk("stop"))) + stream.end()
    assert any(end in told for end in ENDS)


@pytest.mark.parametrize(("client", "server", "body"), PAIRS[:2])
def test_what_comes_after_the_end_is_passed_over(
    client: Client, server: Dialect, body: dict[str, Any]
) -> None:
    stream = opened(client, server, body)
    stream.feed(BEGUN[server] + sse(chunk("stop")) + b"data: [DONE]\n\n")
    assert stream.feed(sse(chunk(content="more")) + b"data: junk\n\n") == b""
    assert stream.end() == b""


@pytest.mark.parametrize(("client", "server", "body"), PAIRS[:2])
def test_pieces_of_two_tools_that_are_mixed_are_no_answer(
    client: Client, server: Dialect, body: dict[str, Any]
) -> None:
    stream = opened(client, server, body)
    stream.feed(sse(tool(0, name="a"), tool(1, name="b")))
    with pytest.raises(BrokenReply, match="mixed"):
        stream.feed(sse(tool(0, arguments="{}")))


@pytest.mark.parametrize(("client", "server", "body"), PAIRS[:2])
def test_tools_that_a_server_does_not_number_are_told_apart_by_their_ids(
    client: Client, server: Dialect, body: dict[str, Any]
) -> None:
    calls = [
        {"id": id, "function": {"name": "add", "arguments": "{}"}} for id in ("first", "second")
    ]
    stream = opened(client, server, body)
    told = stream.feed(sse(*(chunk(tool_calls=[call]) for call in calls), chunk("stop")))
    told += stream.end()
    assert b'"first"' in told
    assert b'"second"' in told
    assert b"tool_use" in told or b"function_call" in told
