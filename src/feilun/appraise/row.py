"""One call of somebody's log, and a line of it that could not be used."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(slots=True)
class Row:
    """One call as the log tells it. `context` is all that the model read before `text`.

    `answer` is missing where only a gold answer was logged, `why` names what keeps a
    student from answering such a call: tools, media, too_long.
    """

    line: int
    text: str
    context: str = ""
    answer: str | None = None
    gold: str | None = None
    task: str | None = None
    at: datetime | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    cost: Decimal | None = None
    currency: str | None = None  # None with a cost: the price book's
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that gave no row, and the reason, one of `REASONS`."""

    line: int
    reason: str


REASONS = {
    "not_json": "the line is not whole JSON (a cut-off last line is such a one)",
    "not_an_object": "the line is JSON, but no object",
    "encoding": "the bytes are neither UTF-8 nor GB18030",
    "nul": "the line holds a NUL byte",
    "too_large": "the row is larger than 1 MiB",
    "columns": "the row has another number of columns than the first line",
    "unclosed_quote": "a quoted cell does not end",
    "repeated_header": "the line says the names of the columns again",
    "no_input": "no input was found",
    "no_answer": "no answer was found",
    "failed_call": "the log says that the call failed",
}


def clean(text: str) -> str:
    """Text without lone surrogates, which JSON can spell and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
