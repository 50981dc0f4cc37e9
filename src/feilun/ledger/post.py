"""From what happened to postings. An unknown price gives a posting with no amount.

Calls of a task are posted one by one: the payback asks what each of them cost. Raw calls
that are kept together are posted together, a line for each model, day and item: a gateway
keeps them in groups, and a group of twenty then has three lines and not sixty.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from feilun.ledger.cost import owner
from feilun.ports import Book
from feilun.records import (
    RAW,
    Audit,
    Call,
    Candidate,
    Feedback,
    Money,
    Posting,
    Price,
    Record,
    content_id,
)


class _Used(NamedTuple):
    """What calls of one model used on one day. Tokens are None where they were not counted."""

    whose: str  # items that bill it: the model's own, or the teacher's
    at: datetime
    tokens_in: int | None
    cached: int
    tokens_out: int | None
    seconds: Decimal


class _Line(NamedTuple):
    """So much of an item, at the price in force, None where it is unknown."""

    item: str
    quantity: Decimal
    price: Price | None


def postings(records: Iterable[Record], book: Book) -> Iterator[Posting]:
    """The postings that follow from records; most kinds cost nothing."""
    raw = []
    for record in records:
        match record:
            case Call() if record.task == RAW:
                raw.append(record)
            case Call():
                for line in _of_call(record, book):
                    yield _post([record], line, _purpose(line), book)
            case Audit():
                yield _single(record, book, f"audit:{record.by}", Decimal(1))
            case Feedback() if record.said == "correction":
                yield _single(record, book, "label:person", Decimal(1))
            case Candidate():
                yield _single(record, book, "training:second", Decimal(str(record.seconds)))
            case _:
                pass
    yield from _together(raw, book)


def cost_of(call: Call, book: Book) -> Money | None:
    """What a call costs in all, the student's seconds too; None where a price is unknown."""
    total = Decimal(0)
    for line in _of_call(call, book):
        if line.price is None:
            return None
        total += line.price.amount * line.quantity
    return Money(amount=total, currency=book.currency)


def _of_call(call: Call, book: Book) -> Iterator[_Line]:
    """What a call used: the teacher's tokens or seconds, and the student's seconds."""
    if call.by == "teacher":
        yield from _of_teacher(_used([call], book), book)
    if call.student_seconds:
        yield _line("student:second", Decimal(str(call.student_seconds)), call.at, book)


def _used(calls: Sequence[Call], book: Book) -> _Used:
    """What calls used together, all of one task, model and day, counted or not."""
    first = calls[0]
    counted = _counted(first)
    return _Used(
        whose=owner(book, first.variant, first.at.date(), raw=first.task == RAW),
        at=max(call.at for call in calls),
        tokens_in=sum(call.tokens_in or 0 for call in calls) if counted else None,
        cached=sum(call.tokens_cached or 0 for call in calls),
        tokens_out=sum(call.tokens_out or 0 for call in calls) if counted else None,
        seconds=sum(
            (Decimal(str(c.seconds)) - Decimal(str(c.student_seconds)) for c in calls), Decimal(0)
        ),
    )


def _counted(call: Call) -> bool:
    return call.tokens_in is not None and call.tokens_out is not None


def _of_teacher(used: _Used, book: Book) -> Iterator[_Line]:
    whose, at = used.whose, used.at
    if used.tokens_in is None or used.tokens_out is None:
        yield _line(f"{whose}:second", used.seconds, at, book)
        return
    cached = used.cached
    if book.price(f"{whose}:cached_token", at) is None:
        cached = 0  # a tariff without a cache price bills cached tokens in full
    yield _line(f"{whose}:input_token", Decimal(used.tokens_in - cached), at, book)
    if cached:
        yield _line(f"{whose}:cached_token", Decimal(cached), at, book)
    yield _line(f"{whose}:output_token", Decimal(used.tokens_out), at, book)


def _line(item: str, quantity: Decimal, at: datetime, book: Book) -> _Line:
    return _Line(item, quantity, book.price(item, at))


def _purpose(line: _Line) -> str:
    """What a task's money was for. Whichever items bill it, a model answers as its teacher."""
    purpose = line.item.partition(":")[0]
    return "teacher" if purpose == "model" else purpose


def _single(record: Record, book: Book, item: str, quantity: Decimal) -> Posting:
    line = _line(item, quantity, record.at, book)
    return _post([record], line, _purpose(line), book)


def _together(calls: Iterable[Call], book: Book) -> Iterator[Posting]:
    """One posting for each item, model and day, whatever the order of the calls."""
    alike: dict[tuple[str, date, bool], list[Call]] = {}
    for call in sorted(calls, key=lambda call: call.id):
        alike.setdefault((call.variant, call.at.date(), _counted(call)), []).append(call)
    for some in alike.values():
        for line in _of_teacher(_used(some, book), book):
            yield _post(some, line, line.item.rpartition(":")[0], book)


def _post(causes: Sequence[Record], line: _Line, purpose: str, book: Book) -> Posting:
    cause = _cause(causes)
    item, quantity, price = line
    return Posting(
        id=content_id([cause, item]),
        task=causes[0].task,
        at=max(record.at for record in causes),
        debit=f"expense:{purpose}",
        credit=f"payable:{purpose}",
        amount=None if price is None else price.amount * quantity,
        currency=book.currency,
        quantity=quantity,
        unit=price.unit if price else item.rpartition(":")[2],
        cause=cause,
        price=price.id if price else None,
    )


def _cause(records: Sequence[Record]) -> str:
    """The record, or how many there are and the id of their ids."""
    if len(records) == 1:
        return f"{records[0].kind}:{records[0].id}"
    return f"{records[0].kind}s:{len(records)}:{content_id([record.id for record in records])}"
