"""From what happened to postings. An unknown price gives a posting with no amount."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from feilun.ports import Book
from feilun.records import Audit, Call, Candidate, Feedback, Posting, Record, content_id


def postings(records: Iterable[Record], book: Book) -> Iterator[Posting]:
    """The postings that follow from records; most kinds cost nothing."""
    for record in records:
        match record:
            case Call():
                yield from _call(record, book)
            case Audit():
                yield _audit(record, book)
            case Feedback():
                yield from _correction(record, book)
            case Candidate():
                yield _training(record, book)
            case _:
                pass


def _call(call: Call, book: Book) -> Iterator[Posting]:
    """What a call cost: the teacher's tokens or seconds, and the student's seconds."""
    if call.by == "teacher":
        yield from _teacher(call, book)
    if call.student_seconds:
        yield _post(call, book, "student:second", Decimal(str(call.student_seconds)))


def _audit(audit: Audit, book: Book) -> Posting:
    """What an audit cost, by who did it."""
    return _post(audit, book, f"audit:{audit.by}", Decimal(1))


def _correction(feedback: Feedback, book: Book) -> Iterator[Posting]:
    """What a correction cost the person who made it."""
    if feedback.said == "correction":
        yield _post(feedback, book, "label:person", Decimal(1))


def _training(candidate: Candidate, book: Book) -> Posting:
    """What training a candidate cost."""
    return _post(candidate, book, "training:second", Decimal(str(candidate.seconds)))


def _teacher(call: Call, book: Book) -> Iterator[Posting]:
    if call.tokens_in is None or call.tokens_out is None:
        seconds = Decimal(str(call.seconds)) - Decimal(str(call.student_seconds))
        yield _post(call, book, "teacher:second", seconds)
        return
    cached = call.tokens_cached or 0
    if book.price("teacher:cached_token", call.at) is None:
        cached = 0  # a tariff without a cache price bills cached tokens in full
    yield _post(call, book, "teacher:input_token", Decimal(call.tokens_in - cached))
    if cached:
        yield _post(call, book, "teacher:cached_token", Decimal(cached))
    yield _post(call, book, "teacher:output_token", Decimal(call.tokens_out))


def _post(record: Record, book: Book, item: str, quantity: Decimal) -> Posting:
    at: datetime = record.at
    price = book.price(item, at)
    purpose, _, unit = item.partition(":")
    cause = f"{record.kind}:{record.id}"
    return Posting(
        id=content_id([cause, item]),
        task=record.task,
        at=at,
        debit=f"expense:{purpose}",
        credit=f"payable:{purpose}",
        amount=None if price is None else price.amount * quantity,
        currency=book.currency,
        quantity=quantity,
        unit=price.unit if price else unit,
        cause=cause,
        price=price.id if price else None,
    )
