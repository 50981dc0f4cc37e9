"""From what happened to postings. An unknown price gives a posting with no amount.

The teacher's calls of a task are posted one by one: the payback asks what each of them
cost. All else that is kept together is posted together. Raw calls make a line for each
model, day and item: a gateway keeps them in groups, and a group of twenty then has three
lines and not sixty. The seconds of students make one line for each task and day.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from feilun.ledger.cost import owner
from feilun.ledger.took import (
    STUDENT,
    Took,
    asked_students,
    is_free,
    of_audit,
    of_calls,
    of_students,
    took,
)
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


class _Line(NamedTuple):
    """So much of an item, at the price in force, None where it is unknown."""

    item: str
    quantity: Decimal
    price: Price | None


def postings(records: Iterable[Record], book: Book) -> Iterator[Posting]:
    """The postings that follow from records; most kinds cost nothing."""
    raw: list[Call] = []
    tried: list[Call] = []
    for record in records:
        match record:
            case Call() if record.task == RAW:
                raw.append(record)
            case Call():
                if record.by == "teacher":
                    for line in _of_teacher([record], book):
                        yield _post([record], line, "teacher", book)
                if asked_students(record):
                    tried.append(record)
            case Audit() if not is_free(record):
                for line in _of_audit(record, book):
                    yield _post([record], line, "audit", book)
            case Feedback():
                yield from _of_feedback(record, book)
            case Candidate():
                seconds = Decimal(str(record.seconds))
                line = _line("training:second", seconds, record, book)
                yield _post([record], line, "training", book)
            case _:
                pass
    for some in _alike(raw, lambda call: (call.variant, call.at.date(), took([call]).counted)):
        for line in _of_teacher(some, book):
            yield _post(some, line, line.item.rpartition(":")[0], book)
    for some in _alike(tried, lambda call: (call.task, call.at.date())):
        yield _post(some, _of_students(some, book), "student", book)


def cost_of(call: Call, book: Book) -> Money | None:
    """What a call costs in all, the student's seconds too; None where a price is unknown."""
    lines = [*_of_teacher([call], book)] if call.by == "teacher" else []
    if asked_students(call):
        lines.append(_of_students([call], book))
    total = Decimal(0)
    for line in lines:
        if line.price is None:
            return None
        total += line.price.amount * line.quantity
    return Money(amount=total, currency=book.currency)


def _of_teacher(calls: Sequence[Call], book: Book) -> Iterator[_Line]:
    """What calls of one task, model and day used of the teacher."""
    first = calls[0]
    whose = owner(book, first.variant, first.at.date(), raw=first.task == RAW)
    return _billed(took(calls), whose, first, book)


def _of_students(calls: Sequence[Call], book: Book) -> _Line:
    return _line(STUDENT, of_students(calls), calls[0], book)


def _of_audit(audit: Audit, book: Book) -> Iterator[_Line]:
    """What an audit took: the tokens or seconds of the model that was asked, or one audit."""
    whose = "teacher"
    if audit.variant is not None:
        whose = owner(book, audit.variant, audit.at.date(), raw=False)
    used = of_audit(audit)
    if used.counted or (used.seconds and book.price(f"{whose}:second", audit.at)):
        return _billed(used, whose, audit, book)
    return iter([_line(f"audit:{audit.by}", Decimal(1), audit, book)])


def _of_feedback(said: Feedback, book: Book) -> Iterator[Posting]:
    """A correction is a label, and costs. What is accepted may be sold: if the book says so."""
    if said.said == "correction":
        yield _post([said], _line("label:person", Decimal(1), said, book), "label", book)
        return
    quantity = Decimal(1) if said.said == "accepted" else Decimal(str(said.value or 0))
    line = _line(f"revenue:{said.said}", quantity, said, book)
    if line.price is not None and quantity:
        yield _post([said], line, said.said, book)


def _billed(used: Took, whose: str, cause: Record, book: Book) -> Iterator[_Line]:
    """Lines of what was used. A tariff without a cache price bills cached tokens in full."""
    cached = book.price(f"{whose}:cached_token", cause.at) is not None
    for item, quantity in of_calls(used, whose, cached=cached):
        yield _line(item, quantity, cause, book)


def _line(item: str, quantity: Decimal, cause: Record, book: Book) -> _Line:
    return _Line(item, quantity, book.price(item, cause.at))


def _alike(calls: Iterable[Call], key: Callable[[Call], Hashable]) -> Iterable[list[Call]]:
    """Calls by what they have in common, whatever their order."""
    alike: dict[Hashable, list[Call]] = {}
    for call in sorted(calls, key=lambda call: call.id):
        alike.setdefault(key(call), []).append(call)
    return alike.values()


def _post(causes: Sequence[Record], line: _Line, purpose: str, book: Book) -> Posting:
    cause = cause_of(causes)
    item, quantity, price = line
    income = item.startswith("revenue:")
    return Posting(
        id=content_id([cause, item]),
        task=causes[0].task,
        at=max(record.at for record in causes),
        debit="receivable:revenue" if income else f"expense:{purpose}",
        credit=f"income:{purpose}" if income else f"payable:{purpose}",
        amount=None if price is None else price.amount * quantity,
        currency=book.currency,
        quantity=quantity,
        unit=price.unit if price else item.rpartition(":")[2],
        cause=cause,
        price=price.id if price else None,
    )


def cause_of(records: Sequence[Record]) -> str:
    """The record, or how many there are and the id of their ids."""
    if len(records) == 1:
        return f"{records[0].kind}:{records[0].id}"
    return f"{records[0].kind}s:{len(records)}:{content_id([record.id for record in records])}"
