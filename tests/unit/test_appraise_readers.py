"""Somebody's log is read as it is, and what cannot be read is named, never fatal."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feilun.appraise.fields import Choice, amount, moment
from feilun.appraise.readers import read
from feilun.appraise.row import REASONS, Broken, Row
from feilun.errors import InputError

SYSTEM = {"role": "system", "content": "Choose."}
USER = {"role": "user", "content": "where is my card"}
CHAT = [SYSTEM, USER]
REPLY = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "arrival"}}],
    "created": 1700000000,
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}


def rows_of(path: Path, choice: Choice | None = None) -> list[Row | Broken]:
    return list(read(path, choice or Choice()).rows)


def one(tmp_path: Path, body: object) -> Row | Broken:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(body) + "\n", encoding="utf-8")
    (row,) = rows_of(path)
    return row


@pytest.mark.parametrize(
    "body",
    [
        {"request": {"model": "m", "messages": CHAT}, "response": REPLY},
        {"request": json.dumps({"messages": CHAT}), "response": json.dumps(REPLY)},
        {"messages": CHAT, "response": "arrival"},
        {"messages": CHAT, "completion": REPLY},
        {"messages": CHAT, "output": {"role": "assistant", "content": "arrival"}},
        {"messages": [*CHAT, {"role": "assistant", "content": "arrival"}]},
        {"body": {"messages": CHAT}, "response": {"status_code": 200, "body": REPLY}},
        {"input": {"messages": CHAT}, "output": "arrival"},
        {"input": CHAT, "output": [{"type": "text", "text": "arrival"}]},
        {"request": {"instructions": "Choose.", "input": USER["content"]},
         "response": {"output": [{"type": "message",
                                  "content": [{"type": "output_text", "text": "arrival"}]}]}},
        {"request": {"system": "Choose.", "messages": [USER]},
         "response": {"role": "assistant", "content": [{"type": "text", "text": "arrival"}]}},
        {"messages": [SYSTEM, {"role": "user", "content": [
            {"type": "text", "text": USER["content"]}]}], "response": "arrival"},
        {"instruction": "Choose.", "input": USER["content"], "output": "arrival"},
    ],
)  # fmt: skip
def test_every_shape_of_a_chat_log_gives_the_same_row(tmp_path: Path, body: object) -> None:
    row = one(tmp_path, body)
    assert isinstance(row, Row)
    assert (row.context, row.text, row.answer) == ("Choose.", USER["content"], "arrival")
    assert row.why is None


def test_usage_and_time_are_taken_from_the_response(tmp_path: Path) -> None:
    row = one(tmp_path, {"request": {"messages": CHAT}, "response": REPLY})
    assert isinstance(row, Row)
    assert (row.tokens_in, row.tokens_cached, row.tokens_out) == (9, 4, 2)
    assert row.at is not None
    assert row.at.isoformat() == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"messages": CHAT, "response": {"choices": [{"message": {"tool_calls": [1]}}]}}, "tools"),
        ({"messages": [*CHAT, {"role": "tool", "content": "x"}], "response": "y"}, "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}], "response": "y"},
         "media"),
        ({"text": "x" * 40_000, "label": "y"}, "too_long"),
    ],
)  # fmt: skip
def test_a_call_that_no_student_can_answer_is_kept_with_the_reason(
    tmp_path: Path, body: object, why: str
) -> None:
    row = one(tmp_path, body)
    assert isinstance(row, Row)
    assert row.why == why


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"cut', "not_json"),
        ("[" * 100_000, "not_json"),
        ("[1]", "not_an_object"),
        ('{"a": 1}', "no_input"),
        ('{"input": "x"}', "no_answer"),
        ('{"input": "x", "output": ""}', "no_answer"),
        ('{"input": "x", "response": {"status_code": 500}}', "failed_call"),
        ('{"input": "x", "output": "\0"}', "nul"),
        ('{"input": "' + "x" * (1 << 20) + '"}', "too_large"),
    ],
)
def test_a_broken_line_is_named_by_its_number_and_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"input": "a", "output": "b"}}\n\n{text}\n', encoding="utf-8")
    good, broken = rows_of(path)
    assert isinstance(good, Row)
    assert broken == Broken(3, reason)
    assert reason in REASONS


def test_a_line_of_a_hundred_megabytes_is_dropped_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with path.open("wb") as file:
        file.write(b'{"input": "a", "output": "b"}\n{"input": "')
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n{"input": "c", "output": "d"}')
    assert [type(row) for row in rows_of(path)] == [Row, Broken, Row]


TABLE = (
    '输入;标签;时间\n"我要,退\n款";退款;2024/1/2 10:00\n你好;问候;2024年1月3日\n"open;x;y\n'
    ' 5" pipe;c;1700000000\n输入;标签;时间\nx;y\n;z;\nq;;\n'
)


@pytest.mark.parametrize("form", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_a_table_is_read_in_every_usual_encoding(tmp_path: Path, form: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(TABLE.encode(form))
    found = rows_of(path)
    rows = [(row.line, row.text, row.answer) for row in found if isinstance(row, Row)]
    assert rows == [(2, "我要,退\n款", "退款"), (4, "你好", "问候"), (6, '5" pipe', "c")]
    assert [(b.line, b.reason) for b in found if isinstance(b, Broken)] == [
        (5, "unclosed_quote"),
        (7, "repeated_header"),
        (8, "columns"),
        (9, "no_input"),
        (10, "no_answer"),
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(mark.join(["Question", "Answer", "Gold"]) + "\n" + mark.join("abc") + "\n")
    (row,) = rows_of(path)
    assert isinstance(row, Row)
    assert (row.text, row.answer, row.gold) == ("a", "b", "c")


def test_lines_of_two_encodings_are_both_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(
        "text,label\n退款,钱\n".encode() + "退款,钱\n".encode("gb18030") + b"\xff\xff,a\n"
    )
    first, second, third = rows_of(path)
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert (first.text, first.answer) == (second.text, second.answer)
    assert third == Broken(4, "encoding")


def test_a_missing_column_names_the_columns_there_are_and_the_option(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("foo,bar\n1,2\n")
    with pytest.raises(InputError, match=r"'foo', 'bar'.*--input-column"):
        read(path, Choice())
    with pytest.raises(InputError, match=r"no column 'baz'.*'foo', 'bar'.*--gold-column"):
        read(path, Choice(input="foo", output="bar", gold="baz"))
    (row,) = rows_of(path, Choice(input="foo", output="bar"))
    assert isinstance(row, Row)


def test_named_fields_of_jsonl_may_lie_deep(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": {"b": "x"}, "c": "y", "d": "z", "input": "no", "output": "no"}')
    (row,) = rows_of(path, Choice(input="a.b", output="c", gold="d"))
    assert isinstance(row, Row)
    assert (row.text, row.answer, row.gold) == ("x", "y", "z")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("log.jsonl", b"", "empty"),
        ("log.jsonl", b" \n\n", "empty"),
        ("log.jsonl.gz", b"\x1f\x8b\x08\0", "gunzip"),
        ("log.xlsx", b"PK\x03\x04abc", "CSV"),
        ("log.bin", bytes(range(256)) * 10, "not text"),
        ("log.json", b'[{"input": "a"}]', "jq"),
        ("log.json", b'{\n  "input": "a"\n}\n', "jq"),
    ],
)
def test_what_is_no_log_is_refused_with_the_next_step(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        rows_of(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        read(tmp_path, Choice())
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.csv", Choice())


@pytest.mark.parametrize(
    "value",
    ["2023-11-14T22:13:20Z", 1700000000, 1700000000000, "1700000000.0", "2023/11/14 22:13:20",
     "2023年11月14日 22:13:20", "11/14/2023 22:13:20", "2023-11-15 06:13:20+08:00"],
)  # fmt: skip
def test_a_moment_is_read_from_epochs_and_text(value: object) -> None:
    found = moment(value)
    assert found is not None
    assert found.isoformat() == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize("value", ["soon", "", None, True, -5, 3, "9" * 60, float("nan"), [1]])
def test_what_is_no_moment_is_missing(value: object) -> None:
    assert moment(value) is None


@pytest.mark.parametrize("value", ["x", float("inf"), "1e999999999", True, -1, {}, "1" * 30])
def test_what_is_no_amount_is_missing(value: object) -> None:
    assert amount(value) is None


PIECES = st.sampled_from(
    [b'{"input": "a", "output": "b"}', b"input,output\n", b'"', b"\n", b"\0", b"\xff\xfe", b"{",
     b"a,b\n", b"\xef\xbb\xbf", b"\r", b'{"messages": [{"role": "user", "content": 3}]}', b"[",
     b'{"input": "\\ud800", "output": {"choices": [3]}}', "输入;输出\n".encode("gb18030")]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=12).map(b"".join)))
def test_no_bytes_raise_anything_but_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    try:
        rows = rows_of(path)
    except InputError:
        return
    for row in rows:
        assert row.reason in REASONS if isinstance(row, Broken) else row.text.encode() is not None


KEYS = st.sampled_from(
    [
        "messages",
        "role",
        "content",
        "input",
        "output",
        "request",
        "response",
        "body",
        "choices",
        "message",
        "text",
        "usage",
        "type",
        "prompt_tokens",
        "created",
        "task",
        "gold",
        "tool_calls",
        "metadata",
        "system",
        "error",
        "status_code",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_no_object_raises(tmp_path_factory: pytest.TempPathFactory, body: object) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    path.write_text(json.dumps(body))
    for row in rows_of(path):
        assert isinstance(row, Row | Broken)
