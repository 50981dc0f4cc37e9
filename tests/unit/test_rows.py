"""Rows: what no log could give back is refused when it is written, and named."""

from datetime import UTC, datetime

import pytest

from feilun.errors import Unstorable
from feilun.records import Call, Json
from feilun.store.rows import LONGEST_NAME, StoredRow, from_row, to_row

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
DEEPEST = 150  # levels that are surely read back


def call(input: Json = 1, *, id: str = "call-1", task: str = "mail.kind") -> Call:
    return Call(id=id, task=task, at=AT, input=input, output="spam", variant="m", by="teacher")


def nested(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "input",
    [float("nan"), float("inf"), {"a": [-float("inf")]}, "half of an emoji: \ud83d", {"\udc80": 1}],
    ids=["NaN", "infinity", "deep infinity", "broken text", "a broken name"],
)
def test_what_has_no_json_form_is_refused_with_its_id_and_the_way_out(input: Json) -> None:
    broken = call().model_copy(update={"input": input})
    with pytest.raises(Unstorable, match=r"call 'call-1' has no JSON form.*Use only JSON values"):
        to_row(broken)


@pytest.mark.parametrize("field", ["id", "task"])
def test_a_name_of_broken_text_is_refused_too(field: str) -> None:
    with pytest.raises(Unstorable, match="no JSON form"):
        to_row(call().model_copy(update={field: "half of an emoji: \ud83d"}))


@pytest.mark.parametrize("levels", [1000, 100_000])
def test_what_is_nested_too_deeply_to_be_read_back_is_refused(levels: int) -> None:
    with pytest.raises(Unstorable, match=r"call 'call-1'"):
        to_row(call().model_copy(update={"input": nested(levels)}))


@pytest.mark.parametrize("name", ["a\0b", "x" * (LONGEST_NAME + 1), "飞" * LONGEST_NAME])
@pytest.mark.parametrize("field", ["id", "task"])
def test_a_name_that_no_index_holds_is_refused(field: str, name: str) -> None:
    with pytest.raises(Unstorable, match=f"the {field} of a call must have no NUL"):
        to_row(call().model_copy(update={field: name}))


@pytest.mark.parametrize(
    "input", [nested(DEEPEST), "a\0b 飞轮 \U0001f600", -0.0, 10**30, "x" * 5000]
)
def test_what_is_taken_is_read_back_as_it_was(input: Json) -> None:
    record = call(input, id="飞" * (LONGEST_NAME // 3))
    row = to_row(record)
    assert from_row(Call, StoredRow(1, row.id, row.task, row.body, row.digest)) == record
