"""What calls and audits took, and how much of which items that is. No prices are known here.

Posting counts with it, and so does whoever checks a posting: both say the same by design.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from feilun.records import Audit, Call

STUDENT = "student:second"


class Took(NamedTuple):
    """Tokens, or seconds where nobody counted tokens. `cached` is a part of `tokens_in`."""

    counted: bool
    tokens_in: int
    cached: int
    tokens_out: int
    seconds: Decimal


def took(calls: Sequence[Call]) -> Took:
    """What a model took to answer calls, all of them counted or none."""
    counted = calls[0].tokens_in is not None and calls[0].tokens_out is not None
    return Took(
        counted,
        sum(call.tokens_in or 0 for call in calls),
        sum(call.tokens_cached or 0 for call in calls),
        sum(call.tokens_out or 0 for call in calls),
        sum((_exact(c.seconds) - _exact(c.student_seconds) for c in calls), Decimal(0)),
    )


def of_audit(audit: Audit) -> Took:
    """What a model took to judge a call; nothing where a person did."""
    counted = None not in (audit.variant, audit.tokens_in, audit.tokens_out)
    return Took(
        counted,
        audit.tokens_in or 0,
        audit.tokens_cached or 0,
        audit.tokens_out or 0,
        _exact(audit.seconds) if audit.variant is not None else Decimal(0),
    )


def is_free(audit: Audit) -> bool:
    """Whether nobody was asked for an audit: the teacher's answer was its own, and at hand."""
    return audit.variant is not None and audit.tokens_in == audit.tokens_out == 0


def of_calls(used: Took, whose: str, *, cached: bool) -> Iterator[tuple[str, Decimal]]:
    """Items of `whose` and quantities. `cached` says whether cached tokens are one of them."""
    if not used.counted:
        yield f"{whose}:second", used.seconds
        return
    apart = used.cached if cached else 0
    yield f"{whose}:input_token", Decimal(used.tokens_in - apart)
    if apart:
        yield f"{whose}:cached_token", Decimal(apart)
    yield f"{whose}:output_token", Decimal(used.tokens_out)


def of_students(calls: Iterable[Call]) -> Decimal:
    """The seconds that students took, also where the teacher had the last word or on trial."""
    return sum(
        (
            _exact(call.student_seconds) + (_exact(call.aside.seconds) if call.aside else 0)
            for call in calls
        ),
        Decimal(0),
    )


def asked_students(call: Call) -> bool:
    """Whether a student looked at a call. Asked of every call, so it counts nothing."""
    return bool(call.student_seconds) or (call.aside is not None and bool(call.aside.seconds))


def _exact(seconds: float) -> Decimal:
    return Decimal(str(seconds))
