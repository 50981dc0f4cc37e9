"""Closing a day: what the students' answers avoided, and what devices cost while they idled.

Neither happens at a moment, so no record causes it. A closing posts it per task and day, as
the log stood at the row that its cause names. Closed again it posts only what has changed.

What a served call avoided was never asked. It is estimated by the mean cost of the task's
teacher calls of that day, or of the last day before that has any, and stands in memo
accounts: it is nobody's money.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from feilun.ledger.took import of_students
from feilun.ports import Book
from feilun.records import RAW, Call, Candidate, Posting, Price, content_id

AVOIDED, IDLE = "memo:avoided", "expense:idle"
_DEVICE = "payable:device:"
_DAY_SECONDS = Decimal(86_400)
_SMALLEST = Decimal("1e-12")  # an estimate is written to a millionth of a millionth


@dataclass
class Mean:
    """The sum of some calls' costs, and how many they are."""

    total: Decimal = Decimal(0)
    calls: int = 0


@dataclass
class Days:
    """What closings ask of a log, by day: a few numbers for each task and device."""

    teacher: dict[str, dict[date, Mean]] = field(default_factory=dict)
    served: dict[tuple[str, date], int] = field(default_factory=lambda: defaultdict(int))
    used: dict[tuple[str, date], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    first: date | None = None
    posted: dict[tuple[str, str, date], tuple[Decimal, Decimal]] = field(default_factory=dict)

    def read(
        self, calls: Iterable[Call], candidates: Iterable[Candidate], postings: Iterable[Posting]
    ) -> "Days":
        """Count all of it. Returns itself."""
        for call in calls:
            self._call(call)
        for candidate in candidates:
            self.used[candidate.device, candidate.at.date()] += Decimal(str(candidate.seconds))
        before = ""
        for row in postings:
            self._posting(row, new=row.cause != before)
            before = row.cause
        return self

    def _call(self, call: Call) -> None:
        day = call.at.date()
        self.first = min(self.first or day, day)
        if call.by == "student":
            self.served[call.task, day] += 1
        if call.device is not None:
            whole = of_students([call]) if call.by == "student" else Decimal(str(call.seconds))
            self.used[call.device, day] += whole

    def _posting(self, row: Posting, *, new: bool) -> None:
        day = row.at.date()
        if row.debit in (AVOIDED, IDLE):
            same = (row.debit, _whose(row), day)
            quantity, amount = self.posted.get(same, (Decimal(0), Decimal(0)))
            self.posted[same] = (quantity + row.quantity, amount + (row.amount or 0))
        elif row.debit == "expense:teacher" and row.amount is not None and row.task != RAW:
            mean = self.teacher.setdefault(row.task, {}).setdefault(day, Mean())
            mean.total += row.amount
            mean.calls += new


def closings(
    days: Days, day: date, book: Book, prices: Mapping[str, Price], row: int
) -> Iterator[Posting]:
    """The postings that close a day and are not posted yet. `prices` are of idle devices."""
    for (task, when), served in sorted(days.served.items()):
        if when == day:
            yield from _changed(days, _avoided(days, task, day, served, book.currency, row))
    for name, price in sorted(prices.items()):
        yield from _changed(days, _idle(name, days, day, price, row))


def closed_wrongly(days: Days, stands: Days, last: Posting, price: Price | None) -> str | None:
    """Why the closings of a day are not what `days` gives, `stands` saying what was posted.

    `last` is the latest of them, and `price` what it names.
    """
    day = last.at.date()
    if last.debit == AVOIDED:
        served = days.served.get((last.task, day), 0)
        whole = _avoided(days, last.task, day, served, last.currency, 0)
    elif price is None:
        return "it names no price that the log holds"
    else:
        whole = _idle(last.credit.removeprefix(_DEVICE), days, day, price, 0)
    stored = stands.posted.get((last.debit, _whose(last), day))
    derived = (whole.quantity, whole.amount or Decimal(0))
    return None if stored == derived else f"closings of {day}: stored {stored}, derived {derived}"


def ended(days: Days, now: datetime) -> Iterator[date]:
    """The days of a log that are over."""
    day = days.first or now.date()
    while day < now.date():
        yield day
        day += timedelta(days=1)


def _avoided(days: Days, task: str, day: date, served: int, currency: str, row: int) -> Posting:
    known = {when: mean for when, mean in days.teacher.get(task, {}).items() if when <= day}
    latest = max(known, default=None)
    amount, basis = None, "no teacher call has a known cost"
    if latest is not None:
        mean = known[latest]
        amount = (mean.total * served / mean.calls).quantize(_SMALLEST).normalize()
        basis = f"mean of {mean.calls} teacher calls of {latest}"
    return Posting(
        id="", task=task, at=_end(day), debit=AVOIDED, credit="memo:teacher", amount=amount,
        currency=currency, quantity=Decimal(served), unit="call",
        cause=f"closing:{day}:{row}:{basis}", price=None,
    )  # fmt: skip


def _idle(name: str, days: Days, day: date, price: Price, row: int) -> Posting:
    idle = max(_DAY_SECONDS - days.used.get((name, day), Decimal(0)), Decimal(0))
    return Posting(
        id="", task="*", at=_end(day), debit=IDLE, credit=f"{_DEVICE}{name}",
        amount=price.amount * idle, currency=price.currency, quantity=idle, unit=price.unit,
        cause=f"closing:{day}:{row}:{name} idle", price=price.id,
    )  # fmt: skip


def _changed(days: Days, whole: Posting) -> Iterator[Posting]:
    """What of a day is not posted yet: all of it the first time, later the difference."""
    same = (whole.debit, _whose(whole), whole.at.date())
    quantity, amount = days.posted.get(same, (Decimal(0), Decimal(0)))
    change = {
        "quantity": whole.quantity - quantity,
        "amount": None if whole.amount is None else whole.amount - amount,
    }
    if change["quantity"] or change["amount"]:
        told = [*map(str, same), str(whole.quantity.normalize()), str(whole.amount)]
        yield whole.model_copy(update={**change, "id": content_id(told)})


def _whose(row: Posting) -> str:
    """The task, or the device."""
    return row.credit if row.debit == IDLE else row.task


def _end(day: date) -> datetime:
    return datetime.combine(day, time.max, UTC)
