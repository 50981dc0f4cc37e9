"""Why a bill is not what the journal says: named steps that sum to the difference exactly.

What no step explains is a step too. A bill in another currency is compared at the rate that
the book declares for each day.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal, localcontext

from feilun.errors import InputError
from feilun.ledger.bills import of_model
from feilun.ledger.trace import Part
from feilun.ledger.variance import Cell, Step, Variance, Why
from feilun.ports import Book
from feilun.records import Audit, Bill, BillLine, Call, Ended, Posting, content_id

_ZERO = Decimal(0)
_Place = tuple[str, date | None]


@dataclass(frozen=True)
class Used:
    """What the journal posted of one item of a model on a day."""

    model: str
    item: str
    day: date
    quantity: Decimal
    amount: Decimal | None
    failed: bool = False  # of a call that did not end whole


@dataclass(frozen=True)
class Reconciled:
    """A bill beside the journal. `ours` and the steps sum to `theirs` exactly.

    `renamed` are the models that the bill calls otherwise than we do.
    """

    bill: Bill
    currency: str
    ours: Decimal
    theirs: Decimal
    steps: tuple[Step, ...]
    renamed: dict[str, str]

    def total(self, why: Why) -> Decimal:
        """All steps of one reason."""
        return sum((step.amount for step in self.steps if step.why is why), _ZERO)


def used(parts: Iterable[Part], bill: Bill) -> list[Used]:
    """What of the journal may be on a bill: what models answered and judged in its period."""
    found: dict[Used, tuple[Decimal, Decimal]] = {}
    for part in parts:
        of, what = part.of, part.item.rpartition(":")[2]
        day = part.posting.at.date()
        if not (bill.first <= day <= bill.last and part.item.startswith(("model:", "teacher:"))):
            continue
        if isinstance(of, Call | Audit) and of.variant:
            failed = isinstance(of, Call) and of.ended is not Ended.COMPLETE
            unit = None if part.amount is None else _ZERO
            same = Used(of.variant, what, day, _ZERO, unit, failed)
            quantity, amount = found.get(same, (_ZERO, _ZERO))
            found[same] = (quantity + part.quantity, amount + (part.amount or 0))
    return [
        replace(same, quantity=quantity, amount=None if same.amount is None else amount)
        for same, (quantity, amount) in found.items()
    ]


def reconcile(bill: Bill, rows: Sequence[Used], book: Book) -> Reconciled:
    """The steps from what was posted to what is billed, for the models that the bill names.

    Raises InputError where the book has no rate for the currency of the bill.
    """
    models = {row.model for row in rows}
    names = {line.model: of_model(line.model, bill.names, models) for line in bill.lines}
    with localcontext() as exact:
        exact.prec = 60  # quantities times prices, and no part of a cent is lost
        bridges = _bridges(bill, rows, names)
        for bridge in bridges:
            _convert(bridge, bill, book)
        ours, theirs = (
            sum((getattr(cell, side) for each in bridges for cell in each.cells.values()), _ZERO)
            for side in ("amount", "billed")
        )
        steps = [step for bridge in bridges for step in bridge.steps()]
        rest = theirs - ours - sum((step.amount for step in steps), _ZERO)
    if rest:
        steps.append(Step(Why.UNEXPLAINED, "", None, rest))
    return Reconciled(
        bill=bill,
        currency=book.currency,
        ours=ours,
        theirs=theirs,
        steps=tuple(steps),
        renamed={their: our for their, our in names.items() if our and our != their},
    )


def corrections(found: Reconciled, at: datetime) -> Iterator[Posting]:
    """A posting for each reason, so that the journal says what is owed. No row is edited."""
    for why in Why:
        amount = found.total(why)
        if amount:
            accounts = (f"expense:correction:{why}", f"payable:{found.bill.provider}")
            debit, credit = accounts if amount > 0 else accounts[::-1]
            cause = f"bill:{found.bill.id}:{why}"
            yield Posting(
                id=content_id([cause, str(amount)]), task="*", at=at, debit=debit, credit=credit,
                amount=abs(amount), currency=found.currency, quantity=Decimal(1),
                unit="correction", cause=cause, price=None,
            )  # fmt: skip


def _bridges(bill: Bill, rows: Iterable[Used], names: dict[str, str | None]) -> list[Variance]:
    """Both sides by model and day, or over the period where the bill has no days."""
    found: dict[_Place, Variance] = {}
    place = _placing(bill.lines, names)
    for line in bill.lines:
        model = names[line.model] or line.model
        _cell(found, place(model, line.day), line.item).lines.append(line)
    billed = {model for model in names.values() if model is not None}
    for row in rows:
        if row.model not in billed:
            continue
        where = place(row.model, row.day)
        if row.item == "second" and row.amount is None:
            bridge = found.setdefault(where, Variance(*where, {}))
            bridge.uncounted |= row.failed  # nobody sells these seconds: what it took is unknown
        else:
            _add(_cell(found, where, row.item), row)
    return [found[where] for where in sorted(found, key=lambda w: (w[0], w[1] or bill.first))]


def _placing(
    lines: Iterable[BillLine], names: dict[str, str | None]
) -> Callable[[str, date | None], _Place]:
    whole = {names[line.model] or line.model for line in lines if line.day is None}
    return lambda model, day: (model, None if model in whole else day)


def _cell(found: dict[_Place, Variance], where: _Place, item: str) -> Cell:
    return found.setdefault(where, Variance(*where, {})).cells.setdefault(item, Cell())


def _add(cell: Cell, row: Used) -> None:
    cell.quantity += row.quantity
    cell.amount += row.amount or 0
    cell.unpriced |= row.amount is None
    if row.failed:
        cell.failed_quantity += row.quantity
        cell.failed_amount += row.amount or 0


def _convert(bridge: Variance, bill: Bill, book: Book) -> None:
    """Let a bridge compare in the currency of the book, at the rate of its day."""
    if bill.currency == book.currency:
        return
    day = bridge.day or bill.last
    rate = book.price(f"exchange:{bill.currency}", datetime.combine(day, time(), UTC))
    if rate is None:
        raise InputError(
            f"The bill is in {bill.currency} and the journal in {book.currency}, and the book has "
            f"no rate of {day}. Write [exchange] and {bill.currency} = {{ amount = "
            '"...", source = "...", since = 2026-01-01 } into the book of prices (--prices).'
        )
    for cell in bridge.cells.values():
        cell.rate = rate.amount
