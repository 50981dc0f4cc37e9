"""The tail of a stream: what passes, what waits, and what the client never asked for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from feilun.gateway.tail import Tail

EVENTS = [b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % n for n in range(3)]
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3}}\n\n'
DONE = b"data: [DONE]\n\n"


def passed(pieces: list[bytes], *, drop_usage: bool = False) -> tuple[bytes, bytes]:
    tail = Tail("chat", drop_usage=drop_usage)
    return b"".join(tail.feed(piece) for piece in pieces), tail.held


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


def test_a_whole_event_passes_at_once() -> None:
    tail = Tail("chat")
    assert tail.feed(EVENTS[0]) == EVENTS[0]
    assert tail.held == b""


def test_the_last_event_waits() -> None:
    assert passed([*EVENTS, DONE]) == (b"".join(EVENTS), DONE)


def test_the_end_of_anthropics_and_responses_streams_waits_too() -> None:
    for spoken, last in (
        ("messages", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
        ("responses", b'event: response.completed\ndata: {"type":"response.completed"}\n\n'),
        ("responses", b"event: response.incomplete\ndata: {}\n\n"),
    ):
        tail = Tail(spoken)  # type: ignore[arg-type]
        assert tail.feed(b"event: x\ndata: {}\n\n" + last) == b"event: x\ndata: {}\n\n"
        assert tail.held == last


def test_words_that_look_like_the_end_are_only_late() -> None:
    said = b'data: {"choices":[{"delta":{"content":"[DONE]"}}]}\n\n'
    now, held = passed([said, EVENTS[1], DONE])
    assert (now, held) == (said + EVENTS[1], DONE)


@given(places=st.lists(st.integers(0, 400), max_size=12))
def test_however_it_is_cut_all_arrives_and_the_end_is_never_early(places: list[int]) -> None:
    stream = b"".join(EVENTS) + DONE
    now, held = passed(cut(stream, places))
    assert now + held == stream
    assert b"[DONE]" not in now


@given(places=st.lists(st.integers(0, 400), max_size=12))
def test_however_it_is_cut_a_count_that_we_asked_for_is_left_out(places: list[int]) -> None:
    now, held = passed(cut(b"".join(EVENTS) + USAGE + DONE, places), drop_usage=True)
    assert now + held == b"".join(EVENTS) + DONE


def test_a_first_chunk_without_choices_and_without_a_count_stays() -> None:
    filters = b'data: {"choices": [], "prompt_filter_results": []}\n\n'
    now, held = passed([filters, *EVENTS, USAGE, DONE], drop_usage=True)
    assert now + held == filters + b"".join(EVENTS) + DONE
