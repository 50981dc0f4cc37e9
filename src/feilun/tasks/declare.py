"""Declaring tasks: a decorated Python function, or a TOML file. Both make a `Task`.

The signature gives the schemas, the docstring gives the instructions:

    @task(max_loss=0.1)
    def category(line: str) -> Literal["food", "rent", "other"]:
        \"\"\"Choose the category of one line of bookkeeping.\"\"\"

A declaration has no clock: its `at` is fixed, so the same words give the same id.
"""

import inspect
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from feilun.errors import InputError, TaskError
from feilun.records import Json, RedLine, Shot, Slicing, Task, content_id
from feilun.tasks.output import is_closed
from feilun.tasks.schema import compile_schema
from feilun.tasks.typed import In, Out, TypedTask

_DECLARED = datetime(1970, 1, 1, tzinfo=UTC)


def declare(
    name: str,
    instructions: str,
    input_schema: dict[str, Json],
    output_schema: dict[str, Json],
    red_line: RedLine,
    shots: Sequence[Shot] = (),
) -> Task:
    """A task from its parts. Raises TaskError when the parts make no task."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name):
        raise TaskError(f"A task's name is letters, digits, '.', '_' and '-'; got {name!r}.")
    if not isinstance(instructions, str) or not instructions.strip():
        raise TaskError(f"Task {name}: write its instructions, the teacher reads nothing else.")
    content = {
        "task": name,
        "instructions": instructions.strip(),
        "input_schema": input_schema,
        "output_schema": output_schema,
        "shots": [shot.model_dump(mode="json") for shot in shots],
        "loss": "exact",
        "red_line": red_line.model_dump(mode="json"),
    }
    try:
        declared = Task(id=content_id(content), at=_DECLARED, **content)
    except (TypeError, ValueError, RecursionError) as error:  # ValidationError is a ValueError
        raise TaskError(
            f"Task {name}: input and output must be JSON Schema objects, and all values in them "
            "JSON: no dates, no NaN."
        ) from error
    compile_schema(name, "input", declared.input_schema)
    compile_schema(name, "output", declared.output_schema)
    if red_line.per is Slicing.LABEL and not is_closed(declared):
        raise TaskError(
            f"Task {name}: red_line.per = 'label' needs labels to cut by. Give the output a closed "
            "set of them, or cut by 'language' or 'tenant'."
        )
    for rule in red_line.never:
        compile_schema(name, f"never {rule.name!r}", rule.answer)
        compile_schema(name, f"never {rule.name!r}", rule.right or {})
    return declared


def task(
    *,
    max_loss: float,
    confidence: float = 0.95,
    per: Literal["label", "language", "tenant"] | None = None,
    name: str | None = None,
    shots: Mapping[str, Json] | None = None,
) -> Callable[[Callable[[In], Out]], TypedTask[In, Out]]:
    """Turn a typed function into a Task. The body is never run.

    `per` holds the red line in each slice of the calls, and not on all of them together.

    Raises TaskError when the function has no docstring, not exactly one parameter,
    or a type that has no JSON schema.
    """

    def wrap(function: Callable[[In], Out]) -> TypedTask[In, Out]:
        title = name or function.__name__
        hints = get_type_hints(function)
        parameters = list(inspect.signature(function).parameters)
        missing = [p for p in [*parameters, "return"] if p not in hints]
        if len(parameters) != 1 or missing:
            raise TaskError(
                f"Task {title}: write one typed parameter and a return type, as in "
                "`def category(line: str) -> Literal['food', 'rent']`."
            )
        declared = declare(
            title,
            inspect.getdoc(function) or "",
            _schema(title, hints[parameters[0]]),
            _schema(title, hints["return"]),
            _red_line(title, {"max_loss": max_loss, "confidence": confidence, "per": per}),
            [Shot(input=given, output=right) for given, right in (shots or {}).items()],
        )
        return TypedTask[In, Out].of(declared, hints["return"])

    return wrap


def read_task(path: Path) -> Task:
    """Read a task from TOML: name, instructions, labels or [output], [red_line], [[shots]]."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not TOML in UTF-8: {error}.") from error
    known = {"name", "instructions", "labels", "input", "output", "red_line", "shots"}
    if unknown := sorted(set(raw) - known):
        raise InputError(
            f"{path}: unknown key {unknown[0]!r}. Known keys: {', '.join(sorted(known))}."
        )
    for key in ("name", "instructions", "red_line"):
        if key not in raw:
            raise InputError(f"{path}: the key {key!r} is missing.")
    if ("labels" in raw) == ("output" in raw):
        raise InputError(f"{path}: give either labels = [...] or an [output] schema.")
    output = raw["output"] if "output" in raw else _closed(path, raw["labels"])
    return declare(
        raw["name"],
        raw["instructions"],
        raw.get("input", {"type": "string"}),
        output,
        _red_line(raw["name"], raw["red_line"]),
        [_shot(raw["name"], shot) for shot in _list(path, "shots", raw.get("shots", []))],
    )


def _closed(path: Path, labels: Json) -> dict[str, Json]:
    found = _list(path, "labels", labels)
    if not found or not all(isinstance(label, str) for label in found):
        raise InputError(f"{path}: labels is a list of words, as in labels = ['food', 'rent'].")
    return {"enum": list(dict.fromkeys(found)), "type": "string"}


def _list(path: Path, key: str, found: Json) -> list[Json]:
    if not isinstance(found, list):
        raise InputError(f"{path}: {key} must be a list, got {found!r}.")
    return found


def _schema(title: str, hint: Any) -> dict[str, Json]:
    try:
        return TypeAdapter(hint).json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError) as error:
        raise TaskError(f"Task {title}: {hint!r} has no JSON schema. Use plain types.") from error


def _shot(title: str, raw: Json) -> Shot:
    try:
        return Shot.model_validate(raw)
    except ValidationError as error:
        raise TaskError(f"Task {title}: a shot has an input and an output, got {raw!r}.") from error


def _red_line(title: str, raw: dict[str, Json]) -> RedLine:
    try:
        return RedLine.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["red_line", *(str(part) for part in first["loc"])])
        raise TaskError(
            f"Task {title}: {where}: {first['msg']} (got {first['input']!r})."
        ) from error
