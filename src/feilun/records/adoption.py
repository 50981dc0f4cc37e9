"""Adoption: from which raw requests a task is made, and how its answers look to their client."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from feilun.records.base import Record


class Adoption(Record):
    """Raw requests that match are calls of `task` from this moment on.

    `system` is the template of the system prompt, `<*>` where it varies. `head` and `tail`
    stand around the input in the last message of the user. An answer of the task is given
    as its client knows it: as text, as a JSON value, or in the one `field` of an object.
    A later adoption of the same task replaces this one; `ended` ends it.
    """

    kind: ClassVar[str] = "adoption"

    system: str
    head: str = ""
    tail: str = ""
    answer: Literal["text", "json", "field"] = "text"
    field: Annotated[str | None, Field(max_length=200)] = None
    ended: bool = False
