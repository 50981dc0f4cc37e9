"""What comes of deriving one thing again."""

from dataclasses import dataclass

from feilun.records import Record, encode


@dataclass(frozen=True)
class Check:
    """One thing that was derived again. `problem` is None where it came out the same.

    Of the kind "log" there are only problems; their `id` is the number of the row.
    """

    kind: str
    id: str
    task: str
    problem: str | None


def different_field(stored: Record, again: Record) -> str | None:
    """The first field in which a record differs from what the log gives; None for the same."""
    if encode(stored) == encode(again):
        return None
    if stored.kind != again.kind:
        return f"the log gives a {again.kind}, the store holds a {stored.kind}"
    theirs, ours = stored.model_dump(), again.model_dump()
    for field, value in theirs.items():
        if ours[field] != value:
            return f"{field}: stored {value}, derived {ours[field]}"
    return "the stored form differs"
