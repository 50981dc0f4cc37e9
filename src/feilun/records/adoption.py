"""Adoption: from which raw requests a task is made, and how its answers look to their client."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from feilun.records.base import Json, Record


class Adoption(Record):
    """Raw requests that match are calls of `task` from this moment on.

    `system` is the template of the system prompt, `<*>` where it varies. `head` and `tail`
    stand around the input in the message of the user. `format` is the JSON Schema that the
    requests ask the answer to keep, if they do.

    An answer of the task is given as its client knows it: as text, as a JSON value, or in
    the one `field` of an object. `labels` says how each label of a closed set looks there.

    A later adoption of the same task replaces this one; `ended` ends it.
    """

    kind: ClassVar[str] = "adoption"

    system: str
    head: str = ""
    tail: str = ""
    format: dict[str, Json] | None = None
    answer: Literal["text", "json", "field"] = "text"
    field: Annotated[str | None, Field(max_length=200)] = None
    labels: dict[str, Json] = Field(default_factory=dict)
    model: str | None = None  # that most of the requests named
    proposal: str | None = None  # the id of the proposal that was adopted
    ended: bool = False
