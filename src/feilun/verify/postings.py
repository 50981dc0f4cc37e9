"""Postings: each is made again from what caused it, and what caused none is looked for."""

from collections.abc import Iterator
from datetime import date

from feilun import ledger
from feilun.errors import StoreError
from feilun.house import House
from feilun.ports import Progress
from feilun.records import Audit, Bill, Candidate, Feedback, Posting, Price, Record
from feilun.verify.check import Check

# Parts of postings between two signs of life: about a second's work.
_TELL_EVERY = 10_000


def postings(house: House, progress: Progress | None = None) -> Iterator[Check]:
    """The journal: one check for each posting that differs, or one for all that agree.

    Quantities come from the calls, audits, corrections and candidates of the log, amounts
    from the prices that the postings name. What a closing estimated is estimated again from
    the log as it then stood.
    """
    row = house.store.head().seq
    trace = house.accounts.trace()
    wrong = right = 0
    posted: set[str] = set()  # audits, feedback and candidates: few beside the calls
    for done, part in enumerate(trace, start=1):
        if progress and done % _TELL_EVERY == 0:
            progress(done, 0)  # how many there will be is not known
        if part.problem is not None:
            wrong += 1
            yield _check(part.posting, part.problem)
        right += part.problem is None
        if part.of is not None and part.of.kind != "call":
            posted.add(part.of.id)
    for call in trace.unposted():
        wrong += 1
        yield Check("posting", call, "", f"call {call} took something, and no posting says so")
    for check in (*_unposted(house, posted, row), *_closings(house, row), *_bills(house)):
        wrong += 1
        yield check
    if right and not wrong:
        yield Check("journal", str(row), "", None)


def _unposted(house: House, posted: set[str], row: int) -> Iterator[Check]:
    """Records that cost something, of which the journal says nothing."""
    for kind in (Audit, Feedback, Candidate):
        for record in house.store.read(kind, until=row):
            if _costs(record) and record.id not in posted:
                problem = f"{record.kind} {record.id} has no posting"
                yield Check("posting", record.id, record.task, problem)


def _costs(record: Record) -> bool:
    match record:
        case Audit():
            return not ledger.is_free(record)
        case Feedback():
            return record.said == "correction"
        case _:
            return True


def _closings(house: House, row: int) -> Iterator[Check]:
    """What was posted of each day's estimates, held against what the log gives.

    Where calls of that day came later, it is held against the log as the closing saw it.
    """
    last: dict[tuple[str, str, str, date], Posting] = {}
    for posting in house.store.read(Posting, until=row):
        if posting.cause.startswith("closing:"):
            key = (posting.debit, posting.task, posting.credit, posting.at.date())
            last[key] = posting
    if not last:
        return
    prices = {price.id: price for price in house.store.read(Price)}
    stands = house.accounts.days(row)
    for posting in last.values():
        price = prices.get(posting.price or "")
        if ledger.closed_wrongly(stands, stands, posting, price):
            seen = house.accounts.days(_seen(posting))
            if problem := ledger.closed_wrongly(seen, stands, posting, price):
                yield _check(posting, problem)


def _seen(closing: Posting) -> int:
    """The row of the log up to which a closing looked."""
    row = closing.cause.split(":")[2]
    return int(row) if row.isdecimal() and len(row) < 19 else 0


def _bills(house: House) -> Iterator[Check]:
    """A bill's lines sum to its total, and a correction is of a bill that the log holds."""
    for bill in house.store.read(Bill):
        total = sum(line.amount for line in bill.lines)
        if total != bill.total:
            yield Check("bill", bill.id, "", f"total: stored {bill.total}, derived {total}")
    for posting in house.store.read(Posting, "*"):
        if posting.cause.startswith("bill:"):
            try:
                house.store.get(Bill, posting.cause.split(":")[1])
            except StoreError as error:
                yield _check(posting, str(error))


def _check(posting: Posting, problem: str) -> Check:
    return Check("posting", posting.id, posting.task, problem)
