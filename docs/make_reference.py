"""Make the reference pages that come from the code: the command line and the records.

    python docs/make_reference.py

tests/docs fails while a page is behind the code. Written by hand: exit-codes.md, prices.md.
"""

import inspect
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from feilun import cli
from feilun.records import (
    KINDS,
    Aside,
    Between,
    BillLine,
    Ended,
    Example,
    Expected,
    Money,
    Never,
    Record,
    RedLine,
    Shot,
    Slice,
    Slicing,
    WhyAlarm,
    WhyRefused,
    WhyTeacher,
)
from feilun.wheel import WHEEL
from feilun.wiring import PRICES

HERE = Path(__file__).parent / "reference"
MADE = "<!-- Made from the code by docs/make_reference.py. Do not edit: run `make reference`. -->"
PARTS: tuple[type[BaseModel], ...] = (
    RedLine, Never, Shot, Aside, Example, Expected, Slice, BillLine, Between, Money,
)  # fmt: skip
REASONS: tuple[type[StrEnum], ...] = (Slicing, WhyTeacher, WhyRefused, WhyAlarm, Ended)


def pages() -> dict[Path, str]:
    """The pages and what they should say."""
    made = {"cli.md": _cli(), "records.md": _records()}
    return {HERE / name: "\n".join([*lines]) + "\n" for name, lines in made.items()}


# The command line


def _cli() -> Iterator[str]:
    yield from ("# The command line", "", MADE, "", f"{cli.app.info.help}", "")
    yield "Every command takes `--help`; [exit codes](exit-codes.md) are the same for all."
    group: Any = typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        yield from _command(f"feilun {name}", command, "##")


def _command(name: str, command: Any, heading: str) -> Iterator[str]:
    yield from ("", f"{heading} {name}", "", _plain(command.help))
    if command.epilog:
        yield from ("", _plain(command.epilog))
    options = [_option(each) for each in command.params if each.name != "help"]
    if options:
        yield from ("", "| | | default |", "|---|---|---|", *options)
    for inner, each in getattr(command, "commands", {}).items():
        yield from _command(f"{name} {inner}", each, f"{heading}#")


def _option(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    name = parameter.name.upper() if argument else ", ".join(parameter.opts)
    words = _plain(parameter.help or "")
    if getattr(parameter, "envvar", None):
        words += f" Environment: `{parameter.envvar}`."
    return f"| `{name}` | {words.strip()} | {_default(parameter)} |"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "needed"
    if parameter.default is None or parameter.default is False:
        return ""
    if parameter.default == PRICES:
        return "the example prices that ship"
    return f"`{parameter.default}`"


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


# The records


def _records() -> Iterator[str]:
    yield from ("# The records", "", MADE, "", _paragraph(Record), "")
    yield "Their stored form is JSON with sorted keys, no spaces, times in UTC and money as text."
    yield "Each kind has one writer. All have these fields:"
    yield from ("", *_fields(Record, set()))
    common = set(Record.model_fields)
    for kind in KINDS.values():
        yield from ("", f"## {kind.__name__}", "", _paragraph(kind), "", _travels(kind), "")
        yield from _fields(kind, common)
    yield from ("", "## Parts of records")
    for part in PARTS:
        yield from ("", f"### {part.__name__}", "", _paragraph(part), "", *_fields(part, set()))
    yield from ("", "## Reasons")
    for reason in REASONS:
        yield from ("", f"### {reason.__name__}", "", _paragraph(reason), "")
        yield from (f"- `{value}`: {words}" for value, words in _values(reason))


def _paragraph(kind: type) -> str:
    return inspect.getdoc(kind) or ""


def _travels(kind: type[Record]) -> str:
    writer = next(stage.name for stage in WHEEL if kind in stage.writes)
    readers = [stage.name for stage in WHEEL if kind in stage.reads]
    return f"Kind `{kind.kind}`. Written by *{writer}*, read by *{', '.join(readers)}*."


def _fields(kind: type[BaseModel], but: set[str]) -> Iterator[str]:
    yield from ("| field | type | default | |", "|---|---|---|---|")
    notes = _notes(kind)
    for name, field in kind.model_fields.items():
        if name not in but:
            default = "needed" if field.is_required() else f"`{field.default!r}`"
            yield f"| `{name}` | {_field_type(field)} | {default} | {notes.get(name, '')} |"


def _field_type(field: FieldInfo) -> str:
    return _type(field.annotation).replace("|", "\\|")


def _type(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, UnionType):
        return " | ".join(_type(argument) for argument in arguments)
    if origin is Literal:
        return " | ".join(f"`{value!r}`" for value in arguments)
    if origin is not None:
        inner = ", ".join("…" if a is Ellipsis else _type(a) for a in arguments)
        return f"{origin.__name__}[{inner}]"
    if hint is Any:
        return "JSON"
    return "None" if hint is type(None) else str(hint.__name__)


def _notes(kind: type) -> dict[str, str]:
    """The comments beside the fields: they say what a name leaves open."""
    found = re.findall(r"^    (\w+): .*?  # (.+)$", inspect.getsource(kind), re.MULTILINE)
    return dict(found)


def _values(reason: type[StrEnum]) -> Iterator[tuple[str, str]]:
    yield from re.findall(r'^    \w+ = "(\w+)"  # (.+)$', inspect.getsource(reason), re.MULTILINE)


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
