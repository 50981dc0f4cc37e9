"""Laws of discovery: what was proposed is found again, and what was rendered is read again."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from feilun.discovery import Matcher, adoption, propose, read, render
from feilun.discovery.template import GAP, fits, learn, merge
from feilun.records import RAW, Adoption, Call, Json, WhyTeacher

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
words = st.lists(
    st.sampled_from(
        ["mail", "order", "today", "is", "2026-05-01", "10:30", "Bob", "绿茶", "，", "\n", ":", ".",
         "<*>", '"', "shop", "please", "answer", "7"]
    ),
    max_size=12,
).map(" ".join)  # fmt: skip
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def adopted(**facts: Json) -> Adoption:
    return Adoption(id="a", task="t", at=NOON, **{"system": "s", **facts})


@given(st.dictionaries(words, st.integers(1, 30), max_size=12))
def test_every_text_fits_the_template_that_was_learnt_of_it(texts: dict[str, int]) -> None:
    learnt = learn(texts)
    assert learnt.keys() == texts.keys()
    for text, template in learnt.items():
        assert fits(template.split(GAP), text)


@given(words, words, words, words)
def test_two_texts_fit_what_they_are_merged_to(
    before: str, after: str, one: str, other: str
) -> None:
    texts = [f"You are the one who {before} {place} {after}" for place in (one, other)]
    merged = merge(*texts)
    assert merged is None or all(fits(merged.split(GAP), text) for text in texts)


@given(
    st.lists(st.sampled_from(["a", "b", "ab", "\n", ""]), min_size=1, max_size=5),
    words | st.text("ab\n"),
)
def test_what_fits_a_template_fits_the_pattern_that_it_stands_for(
    pieces: list[str], text: str
) -> None:
    pattern = "[^\n]{0,200}".join(re.escape(piece) for piece in pieces)
    if fits(pieces, text):
        assert re.fullmatch(pattern, text)


@given(values)
def test_json_that_was_rendered_is_read_again(output: Json) -> None:
    made = adopted(answer="json")
    assert read(made, render(made, output)) == output
    alone = adopted(answer="field", field="x")
    assert read(alone, render(alone, output)) == output


@given(st.text())
def test_text_that_was_rendered_is_read_again(output: str) -> None:
    assert read(adopted(), render(adopted(), output)) == output


@given(
    st.sampled_from(["text", "json", "field"]),
    st.lists(
        st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=8),
        min_size=1, max_size=6, unique_by=str.casefold,
    ),
    st.sampled_from(["{}", "{}.", "**{}**", "Label: {}", " {}"]),
)  # fmt: skip
def test_a_label_that_was_rendered_is_read_again(
    answer: str, labels: list[str], dress: str
) -> None:
    shown = {label: dress.format(label).strip() for label in labels}
    made = adopted(answer=answer, field="x" if answer == "field" else None, labels=shown)
    for label in labels:
        assert read(made, render(made, label)) == label


@given(values, st.text(max_size=20))
def test_no_request_and_no_answer_is_too_odd_to_be_refused(request: Json, content: str) -> None:
    matcher = Matcher([adopted()])
    for body in (
        request,
        {"messages": request},
        {"input": request, "instructions": request},
        {"messages": [{"role": "user", "content": request}], "system": request},
        {"messages": [request, {"role": request, "content": content}], "response_format": request},
        {"input": content, "text": request, "n": request, "tools": request},
    ):
        matched = matcher.match(body)
        assert matched is None or matched.task == "t"
    for answer in ("text", "json", "field"):
        for labels in ({}, {"a": "a"}):
            read(adopted(answer=answer, field="x", labels=labels), content)


@settings(max_examples=30)
@given(words, words, words, words, words)
def test_what_was_proposed_is_found_again(
    system: str, head: str, tail: str, one: str, other: str
) -> None:
    calls = [
        Call(
            id=f"raw-{n:02}", task=RAW, at=NOON + timedelta(hours=n), variant="big", by="teacher",
            why_teacher=WhyTeacher.NO_TASK,
            input={"system": system,
                   "messages": [{"role": "user", "content": f"{head} {text} {n} {tail}"}]},
            output={"role": "assistant", "content": "ab"[n % 2]},
        )
        for n, text in enumerate([one, other] * 20)
    ]  # fmt: skip
    found = propose(calls)
    for proposal in found:
        if proposal.adoptable:
            made = adoption(proposal, "t", id="a", at=NOON)
            matched = [call for call in calls if Matcher([made]).match(call.input)]
            assert len(matched) >= proposal.calls
