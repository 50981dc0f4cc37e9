"""Declaring a task, in Python and in TOML: what comes out, and what each mistake says."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from feilun.errors import FeilunError, InputError, TaskError
from feilun.records import RedLine, Shot
from feilun.tasks import declare, is_valid, labels, loss, messages, read_task, task
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
