"""What the served calls would save at stated prices. What is not stated is unknown."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from feilun.appraise.row import Row
from feilun.appraise.shape import Prices, Saving, Tariff
from feilun.ledger import TomlBook
from feilun.ledger.book import ITEMS

_KNOWN = 0.9  # a mean cost needs the costs of this share of the calls
_PLACES = Decimal("0.000001")


def tariff(book: TomlBook, file: str, at: datetime) -> Prices:
    """The prices in force at a moment, as they are shown."""
    found = ((item, book.price(item, at)) for item in ITEMS)
    items = [
        Tariff(item=item, amount=p.amount, unit=p.unit, source=p.source, since=p.since)
        for item, p in found
        if p
    ]
    return Prices(file=file, currency=book.currency, items=items)


def saving(
    served: Sequence[Row],
    share: float,
    rows: Sequence[Row],
    book: TomlBook | None,
    at: datetime,
    student_seconds: float,
) -> Saving:
    """The saving of a task: `served` are judged calls a student served, `share` theirs of all.

    What a served call avoids is the mean of what such calls cost in the log: a cost that
    was logged, or tokens at the book's prices. The student reads every call.
    """
    moments = [row.at for row in rows if row.at]
    days = (max(moments) - min(moments)).total_seconds() / 86_400 if moments else None
    costs = [_cost(row, book, at) for row in served]
    known = [amount for amount, _ in costs if amount is not None]
    currencies = {currency for amount, currency in costs if amount is not None}
    facts = {
        "calls": len(rows),
        "days": None if days is None else round(days, 4),
        "served_share": round(share, 6),
    }
    why = _unknown(served, known, currencies, book)
    if why:
        return Saving(
            currency=None,
            per_1000_calls=None,
            period=None,
            teacher_per_1000_calls=None,
            student_per_1000_calls=None,
            why=why,
            **facts,
        )
    currency = currencies.pop()
    teacher = sum(known, Decimal(0)) / len(known) * 1000
    student = _student(book, currency, at, student_seconds)
    each = teacher * Decimal(str(share)) - (student or 0)
    return Saving(
        currency=currency,
        per_1000_calls=each.quantize(_PLACES),
        period=(each * len(rows) / 1000).quantize(_PLACES),
        teacher_per_1000_calls=teacher.quantize(_PLACES),
        student_per_1000_calls=None if student is None else student.quantize(_PLACES),
        why=None if student is not None else _no_student(student_seconds),
        **facts,
    )


def _cost(row: Row, book: TomlBook | None, at: datetime) -> tuple[Decimal | None, str | None]:
    """What a call cost and in which currency; None where that was not said."""
    if row.cost is not None:
        currency = row.currency or (book.currency if book else None)
        return (row.cost, currency) if currency else (None, None)
    if book is None or row.tokens_in is None or row.tokens_out is None:
        return None, None
    asked, cached, said = (
        book.price(f"teacher:{kind}_token", at) for kind in ("input", "cached", "output")
    )
    if asked is None or said is None:
        return None, None
    held = min(row.tokens_cached or 0, row.tokens_in) if cached else 0
    cost = asked.amount * (row.tokens_in - held) + said.amount * row.tokens_out
    return cost + (cached.amount * held if cached else 0), book.currency


def _unknown(
    served: Sequence[Row],
    known: Sequence[Decimal],
    currencies: set[str | None],
    book: TomlBook | None,
) -> str | None:
    """Why the saving is unknown, or None where it is known."""
    if not served:
        return "No call would be served."
    if len(known) < _KNOWN * len(served):
        logged = any(row.tokens_in is not None or row.cost is not None for row in served)
        if not logged:
            return "The log says neither what calls cost nor how many tokens they took."
        if book is None:
            return "No prices were given: pass --prices with what a token costs."
        return (
            f"Only {len(known)} of {len(served)} served calls have a cost, or tokens in and out "
            "that the price book prices (teacher:input_token and teacher:output_token)."
        )
    return "The log's costs are in several currencies." if len(currencies) > 1 else None


def _student(
    book: TomlBook | None, currency: str | None, at: datetime, seconds: float
) -> Decimal | None:
    price = book.price("student:second", at) if book else None
    if price is None or price.currency != currency:
        return None
    return price.amount * Decimal(str(round(seconds, 9))) * 1000


def _no_student(seconds: float) -> str:
    return (
        f"The student's own time, {seconds * 1000:.2f} ms a call, has no price "
        "(student:second) and is not deducted."
    )
