"""Declaring a task, in Python and in TOML: what comes out, and what each mistake says."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from feilun.errors import FeilunError, InputError, TaskError
from feilun.records import RedLine, Shot
from feilun.tasks import (
    check_input,
    declare,
    is_closed,
    is_text,
    is_valid,
    labels,
    loss,
    messages,
    read_output,
    read_task,
    response_format,
    task,
)
from feilun.testing.kiosk import KIOSK

Shelf = Literal["drinks", "fruit"]

WHOLE = {
    "name": '"shelf"',
    "instructions": '"Name the shelf."',
    "labels": '["drinks", "fruit"]',
    "red_line": "{ max_loss = 0.1 }",
}


def toml(path: Path, **changed: str | None) -> Path:
    """A declaration in TOML with some of its lines changed, or left out where None."""
    rows = {**WHOLE, **changed}
    file = path / "shelf.toml"
    file.write_text("\n".join(f"{key} = {value}" for key, value in rows.items() if value))
    return file


def test_a_typed_function_is_a_declaration() -> None:
    @task(max_loss=0.1, shots={"tea": "drinks"})
    def shelf(line: str) -> Shelf:  # noqa: ARG001 - the signature is the declaration
        """Name the shelf.

        Either of two.
        """
        raise AssertionError("the body is never run")

    assert shelf.task == "shelf"
    assert shelf.instructions == "Name the shelf.\n\nEither of two."
    assert shelf.input_schema == {"type": "string"}
    assert labels(shelf) == ("drinks", "fruit")
    assert shelf.red_line == RedLine(max_loss=0.1, confidence=0.95)
    assert shelf.shots == (Shot(input="tea", output="drinks"),)


def test_an_enum_is_a_closed_set_too() -> None:
    class Shelves(StrEnum):
        DRINKS = "drinks"
        FRUIT = "fruit"

    def shelf(line: str) -> Shelves:
        """Name the shelf."""
        raise NotImplementedError

    shelf.__annotations__["return"] = Shelves
    assert labels(task(max_loss=0.1)(shelf)) == ("drinks", "fruit")


def test_the_same_declaration_has_the_same_id_and_a_changed_one_another() -> None:
    def shelf(line: str) -> Shelf:
        """Name the shelf."""
        raise NotImplementedError

    first, again = task(max_loss=0.1)(shelf), task(max_loss=0.1)(shelf)
    assert first == again
    others = {task(max_loss=0.2)(shelf).id, task(max_loss=0.1, name="s")(shelf).id}
    assert len({first.id, *others}) == 3


def test_python_and_toml_declare_the_same_task(tmp_path: Path) -> None:
    def shelf(line: str) -> Shelf:
        """Name the shelf."""
        raise NotImplementedError

    assert read_task(toml(tmp_path)) == task(max_loss=0.1)(shelf)


def test_toml_may_give_schemas_and_shots(tmp_path: Path) -> None:
    file = toml(
        tmp_path,
        labels=None,
        output='{ enum = ["饮料"] }',
        input='{ type = "object" }',
        shots='[{ input = { "线" = "茶" }, output = "饮料" }]',
    )
    found = read_task(file)
    assert found.input_schema == {"type": "object"}
    assert labels(found) == ("饮料",)
    assert found.shots[0].input == {"线": "茶"}


def no_docstring(line: str) -> Shelf:
    raise NotImplementedError


def two_inputs(line: str, mood: str) -> Shelf:
    """Name the shelf."""
    raise NotImplementedError


def no_input() -> Shelf:
    """Name the shelf."""
    raise NotImplementedError


def untyped(line):  # type: ignore[no-untyped-def]
    """Name the shelf."""
    raise NotImplementedError


def no_schema(line: str) -> Callable[[], int]:
    """Name the shelf."""
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_docstring, "write its instructions"),
        (two_inputs, "one typed parameter"),
        (no_input, "one typed parameter"),
        (untyped, "one typed parameter"),
        (no_schema, "has no JSON schema"),
    ],
)
def test_a_function_that_is_no_declaration_says_why(
    function: Callable[..., Any], message: str
) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        task(max_loss=0.1)(function)
    assert function.__name__ in str(caught.value)


@pytest.mark.parametrize("name", ["", "two words", "a/b", "a\nb"])
def test_a_name_is_one_plain_word(name: str) -> None:
    with pytest.raises(TaskError, match="name is letters, digits"):
        declare(name, "Do it.", {}, {}, RedLine(max_loss=0.1))


def test_a_name_may_be_chinese() -> None:
    assert declare("货架.v2", "找货架", {}, {}, RedLine(max_loss=0.1)).task == "货架.v2"


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"name": None}, InputError, "the key 'name' is missing"),
        ({"instructions": None}, InputError, "the key 'instructions' is missing"),
        ({"red_line": None}, InputError, "the key 'red_line' is missing"),
        ({"labels": None}, InputError, r"either labels = \[...\] or an \[output\]"),
        ({"output": "{}"}, InputError, r"either labels = \[...\] or an \[output\]"),
        ({"labls": "['a']"}, InputError, "unknown key 'labls'. Known keys: .*labels"),
        ({"labels": "[]"}, InputError, "labels is a list of words"),
        ({"labels": "[1]"}, InputError, "labels is a list of words"),
        ({"labels": "'drinks'"}, InputError, "labels must be a list"),
        ({"shots": "3"}, InputError, "shots must be a list"),
        ({"shots": "['tea']"}, TaskError, "a shot has an input and an output"),
        ({"name": "5"}, TaskError, "name is letters, digits"),
        ({"instructions": "5"}, TaskError, "write its instructions"),
        ({"instructions": "' '"}, TaskError, "write its instructions"),
        ({"input": "3"}, TaskError, "must be JSON Schema objects"),
        ({"labels": None, "output": "'x'"}, TaskError, "must be JSON Schema objects"),
        ({"labels": None, "output": "{ enum = [2026-01-01] }"}, TaskError, "no dates"),
        ({"red_line": "3"}, TaskError, "red_line: "),
        ({"red_line": "{}"}, TaskError, "red_line.max_loss: Field required"),
        ({"red_line": "{ max_loss = 2 }"}, TaskError, r"max_loss: .* less than 1 \(got 2\)"),
        ({"red_line": "{ max_loss = 'low' }"}, TaskError, "max_loss: .*'low'"),
        ({"red_line": "{ max_loss = 0.1, p95 = 1 }"}, TaskError, "red_line.p95"),
        ({"red_line": "{ max_loss = 0.1, confidence = 0.2 }"}, TaskError, "red_line.confidence"),
    ],
    ids=str,
)
def test_each_mistake_in_a_file_is_named(
    tmp_path: Path, changed: dict[str, str | None], error: type[FeilunError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_task(toml(tmp_path, **changed))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.toml: cannot be read .*Check the path"):
        read_task(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_task(tmp_path)


@pytest.mark.parametrize("content", [b"name = ", "name = '货架'".encode("gbk")])
def test_a_file_that_is_not_toml_in_utf8_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "shelf.toml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"shelf.toml: is not TOML in UTF-8"):
        read_task(file)


def test_the_loss_is_one_where_the_label_differs() -> None:
    assert loss(KIOSK, "drinks", "drinks") == 0
    assert loss(KIOSK, "drinks", "fruit") == 1


@pytest.mark.parametrize("output", ["Drinks", "", None, 0, ["drinks"], {"label": "drinks"}])
def test_only_a_label_of_the_closed_set_is_valid(output: object) -> None:
    assert is_valid(KIOSK, "drinks")
    assert not is_valid(KIOSK, output)


@pytest.mark.parametrize("schema", [{}, {"enum": []}, {"enum": [1, 2]}, {"type": "string"}])
def test_a_task_without_a_closed_set_says_how_to_give_it_one(schema: dict[str, Any]) -> None:
    opened = declare("open", "Say anything.", {}, schema, RedLine(max_loss=0.1))
    with pytest.raises(TaskError, match=r"Literal\['a', 'b', ...\] or write labels"):
        labels(opened)


def test_the_teacher_reads_the_stable_part_first_and_the_question_last() -> None:
    shots = (Shot(input="茶", output="drinks"),)
    said = messages(KIOSK.model_copy(update={"shots": shots}), "pears, please")
    assert [message["role"] for message in said] == ["system", "user", "assistant", "user"]
    assert said[0]["content"].startswith(KIOSK.instructions)
    assert "drinks, fruit, bakery, papers" in said[0]["content"]
    assert said[2]["content"] == '"drinks"'
    assert said[-1]["content"] == "pears, please"


def test_the_prompt_of_a_label_task_has_not_changed_since_answers_were_recorded() -> None:
    said = messages(KIOSK, "tea")
    assert said == [
        {
            "role": "system",
            "content": "Name the shelf on which the goods stand that a customer asks for.\n\n"
            "Answer with one of these labels, in double quotes: drinks, fruit, bakery, papers.",
        },
        {"role": "user", "content": "tea"},
    ]


# Tasks without a closed set

RED = RedLine(max_loss=0.1)
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"$ref": "#/$defs/age"}},
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"age": {"type": "integer", "minimum": 0}},
}
TEXT = declare("sum.up", "Sum it up.", {"type": "string"}, {"type": "string"}, RED)
JSON = declare("person", "Who is it?", PERSON, PERSON, RED, [Shot(input={"name": "A"}, output=1)])


def test_a_task_answers_with_a_label_with_text_or_with_json() -> None:
    assert [(is_closed(each), is_text(each)) for each in (KIOSK, TEXT, JSON)] == [
        (True, False),
        (False, True),
        (False, False),
    ]


def test_an_output_is_held_to_its_schema() -> None:
    assert is_valid(TEXT, "anything")
    assert not is_valid(TEXT, 3)
    assert is_valid(JSON, {"name": "Li Na", "age": 3})
    assert not is_valid(JSON, {"name": "Li Na", "age": -3})


def test_what_is_wrong_with_an_input_is_said_by_place_and_rule_and_not_by_content() -> None:
    assert check_input(JSON, {"name": "Li Na"}) is None
    assert check_input(JSON, {"name": "a", "age": "secret"}) == (
        "the input at /age breaks type: 'integer'"
    )
    assert check_input(JSON, {}) == "the input breaks required: ['name']"
    assert check_input(KIOSK, 5) == "the input breaks type: 'string'"
    assert check_input(KIOSK, "tea") is None


def test_a_changed_schema_under_an_old_id_is_a_new_schema() -> None:
    assert not is_valid(TEXT, 5)
    assert is_valid(TEXT.model_copy(update={"output_schema": {"type": "integer"}}), 5)
    assert not is_valid(TEXT, 5)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "https://example.org/s.json"}, "Nothing is fetched"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "Nothing is fetched"),
        ({"allOf": [{"$dynamicRef": "other.json"}]}, "Nothing is fetched"),
        ({"type": "strnig"}, "is no JSON Schema at type"),
        ({"properties": 3}, "is no JSON Schema at properties"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_when_it_is_declared(
    schema: dict[str, Any], message: str
) -> None:
    with pytest.raises(TaskError, match=message):
        declare("bad", "Do it.", schema, {}, RED)
    with pytest.raises(TaskError, match=message):
        declare("bad", "Do it.", {}, schema, RED)


def test_a_value_that_looks_like_a_reference_is_a_value() -> None:
    schema = {"enum": [{"$ref": "https://example.org"}]}
    assert is_valid(declare("odd", "Do it.", {}, schema, RED), {"$ref": "https://example.org"})


def test_a_reference_to_nothing_is_named_and_one_to_itself_ends() -> None:
    nothing = declare("lost", "Do it.", {}, {"$ref": "#/$defs/gone"}, RED)
    with pytest.raises(TaskError, match=r"refers to '.*gone', which is not in it"):
        is_valid(nothing, 1)
    endless = declare("round", "Do it.", {}, {"$ref": "#"}, RED)
    assert not is_valid(endless, 1)


def test_deep_nesting_is_refused_and_not_followed() -> None:
    tree = declare("tree", "Do it.", {"items": {"$ref": "#"}, "type": "array"}, {}, RED)
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert check_input(tree, deep) == "the input is nested too deeply"


def test_each_kind_of_task_says_in_which_form_it_wants_its_answer() -> None:
    text, structured = messages(TEXT, "…"), messages(JSON, {"name": "李娜", "age": None})
    assert text[0]["content"] == "Sum it up.\n\nAnswer with the text alone."
    assert "JSON Schema" in structured[0]["content"]
    assert '"minimum": 0' in structured[0]["content"]
    assert structured[1:3] == [
        {"role": "user", "content": '{"name": "A"}'},
        {"role": "assistant", "content": "1"},
    ]
    assert structured[-1]["content"] == '{"name": "李娜", "age": null}'


def test_a_server_is_held_to_the_schema_where_there_is_one() -> None:
    assert response_format(TEXT) is None
    for each, schema in ((JSON, PERSON), (KIOSK, KIOSK.output_schema)):
        form = response_format(each)
        assert form is not None
        assert form["type"] == "json_schema"
        assert form["json_schema"]["schema"] == schema


@pytest.mark.parametrize(
    "text",
    [
        "drinks",
        ' "drinks"\n',
        "'drinks'",
        "“drinks”",
        "drinks.",
        "```\ndrinks\n```",
        '```json\n"drinks"\n```',
        '{"label": "drinks"}',
        'The shelf is {"shelf": "drinks"}, I think.',
        "<think>fruit? no.</think>\n\ndrinks",
    ],
)
def test_a_label_is_read_out_of_its_wrapping(text: str) -> None:
    assert read_output(KIOSK, text) == "drinks"


@pytest.mark.parametrize("text", ["", "Drinks", "drinks, fruit", "tea", "5", '["drinks"]', "{" * 9])
def test_what_is_no_label_is_not_made_one(text: str) -> None:
    with pytest.raises(TaskError, match="none of the 4 labels"):
        read_output(KIOSK, text)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "李娜", "age": 3}',
        '```json\n{"name": "李娜", "age": 3}\n```',
        'Here you are:\n{"name": "李娜", "age": 3}\nAnything else?',
        '<think>{"name": "no"}</think>{"name": "李娜", "age": 3}',
    ],
)
def test_json_is_read_out_of_its_wrapping(text: str) -> None:
    assert read_output(JSON, text) == {"name": "李娜", "age": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Li Na, three", "wrote no JSON value"),
        ('{"name": "Li Na", "age": NaN}', "wrote no JSON value"),
        ("[" * 100_000, "wrote no JSON value"),
        ('{"name": "Li Na", "age": "three"}', "the output at /age breaks type"),
        ("[]", "breaks type: 'object'"),
    ],
)
def test_what_is_no_valid_json_is_refused_without_its_content(text: str, message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        read_output(JSON, text)
    assert "Li Na" not in str(caught.value)


def test_text_is_taken_as_it_is() -> None:
    assert read_output(TEXT, ' "Quoted", she said.\n') == '"Quoted", she said.'


@pytest.mark.parametrize("text", ["```" * 50_000, "```\n" + " \n" * 50_000, "{" * 99_999 + "}"])
def test_reading_hostile_text_takes_no_time(text: str) -> None:
    with pytest.raises(TaskError):
        read_output(KIOSK, text)
