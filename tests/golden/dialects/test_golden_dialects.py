"""Translations that must not drift: requests, whole answers and streams, to the byte."""

import pytest
from dialect_cases import CASES, HERE, derived, streamed

from feilun.models.sse import Spoken, gather

_SPOKEN: dict[str, Spoken] = {"chat": "chat", "messages": "messages", "responses": "responses"}


@pytest.mark.parametrize("case", CASES)
def test_a_case_still_becomes_the_same_bytes(case: str) -> None:
    for name, text in derived(case).items():
        assert text == (HERE / case / name).read_text(encoding="utf-8"), name


def test_there_is_a_case_of_every_pair_that_is_translated() -> None:
    assert len(CASES) == 4


@pytest.mark.parametrize("case", CASES)
def test_the_cutting_of_a_stream_changes_no_byte_of_its_translation(case: str) -> None:
    whole = (HERE / case / "answer.sse").read_text(encoding="utf-8")
    for size in (1, 7, 100):
        assert streamed(case, size) == whole


@pytest.mark.parametrize("case", CASES)
def test_a_translated_stream_says_what_the_stream_said(case: str) -> None:
    client, server = case.split("_over_")
    told = gather(_SPOKEN[client], (HERE / case / "answer.sse").read_bytes())
    said = gather(_SPOKEN[server], (HERE / case / "reply.sse").read_bytes())
    assert told.whole
    assert (told.message, told.finish) == (said.message, said.finish)
    assert (told.tokens_in, told.tokens_cached, told.tokens_out) == (
        said.tokens_in,
        said.tokens_cached,
        said.tokens_out,
    )
