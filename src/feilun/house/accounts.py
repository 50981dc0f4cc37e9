"""The house's accounts: what the journal says of tasks, keys and bills."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from feilun import ledger
from feilun.errors import Conflict, InputError, NotFound
from feilun.house.log import Log
from feilun.ledger import Account, Balance, Economics, Payback, Reconciled, Risk, Trace
from feilun.records import (
    KINDS,
    Bill,
    Call,
    Candidate,
    Feedback,
    Key,
    Money,
    Posting,
    Price,
    Release,
)


class By(StrEnum):
    """By what money is told apart."""

    TASK = "task"
    MODEL = "model"  # the version that answered
    KEY = "key"
    TEAM = "team"
    APP = "app"


class Form(StrEnum):
    """What the journal is exported as."""

    CSV = "csv"
    BEANCOUNT = "beancount"
    FOCUS = "focus"


class Accounts:
    """Figures of money, each derived from the log anew."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def audit_price(self, at: datetime) -> Money | None:
        """What one more audit by a person costs, or None where that is unknown."""
        price = self._log.book.price("audit:person", at)
        return Money(amount=price.amount, currency=price.currency) if price else None

    def payback(self, name: str) -> Payback:
        """When what the students served has paid for what they cost."""
        released = [r.at for r in self._log.store.read(Release, name) if r.variant is not None]
        return ledger.payback(
            list(self._log.store.read(Call, name)),
            self._log.store.read(Posting, name),
            self._log.book.currency,
            released[-1] if released else None,
        )

    def balances(self) -> dict[str, Balance]:
        """Every account of the journal. They sum to zero."""
        return ledger.balances(self._log.store.read(Posting))

    def trace(self, seen: Callable[[Iterator[Call]], Iterator[Call]] = iter) -> Trace:
        """Every posting with what caused it, as of now. `seen` may look at the calls it reads."""
        store = self._log.store
        row = store.head().seq
        return Trace(
            store.read(Posting, until=row),
            seen(store.read(Call, until=row)),
            {price.id: price for price in store.read(Price)},
            lambda kind, id: store.get(KINDS[kind], id),
        )

    def statement(
        self, by: By = By.TASK, since: date | None = None, until: date | None = None
    ) -> list[Account]:
        """What came in and went out, the dearest first."""
        found = ledger.Statement(self._name(by), since, until)
        trace = self.trace(found.counted)
        for part in trace:
            found.add(part)
        trace.unposted()  # reads on to the last call
        return found.rows()

    def economics(self, account: Account, risk: Risk | None) -> Economics:
        """The unit economics of the task of an account, given what audits say of it."""
        said = [f.said for f in self._log.store.read(Feedback, account.name)]
        return ledger.economics(
            account,
            self.payback(account.name).teacher_per_call,
            risk,
            said.count("accepted"),
            said.count("rejected"),
        )

    # Closing

    def close(self, day: date | None = None) -> list[Posting]:
        """Post what a day's answers avoided and its devices idled: of one day, or all ended.

        Closed again it posts what has changed. Raises InputError for a day that is not over.
        """
        now = self._log.clock.now()
        if day is not None and day >= now.date():
            raise InputError(f"{day} is not over, by UTC. Close it from {now.date()} on.")
        row = self._log.store.head().seq
        days = self.days(row)
        found: list[Posting] = []
        named: dict[str, Price] = {}
        for each in [day] if day else ledger.ended(days, now):
            prices = self._idle(each)
            named |= {price.id: price for price in prices.values()}
            found += ledger.closings(days, each, self._log.book, prices, row)
        try:
            if found:
                self._log.store.append(*named.values(), *found)
        except Conflict:  # another process closed it meanwhile: what is left to post?
            return self.close(day)
        return found

    def days(self, row: int) -> ledger.Days:
        """What closings ask of the log, up to a row."""
        store = self._log.store
        return ledger.Days().read(
            store.read(Call, until=row),
            store.read(Candidate, until=row),
            store.read(Posting, until=row),
        )

    def _idle(self, day: date) -> dict[str, Price]:
        """The price of each device that the book names and that is in force on a day."""
        at = datetime.combine(day, time(), UTC)
        items = [item for item in self._log.book.items() if item.startswith("device:")]
        prices = {item.split(":", 1)[1].rpartition(":")[0]: item for item in items}
        found = {name: self._log.book.price(item, at) for name, item in prices.items()}
        return {name: price for name, price in found.items() if price is not None}

    # Bills

    def take_bill(self, path: Path, provider: str, names: Mapping[str, str]) -> Bill:
        """Keep a provider's bill. The same file again, with the same names, is no news."""
        bill = ledger.read_bill(path, provider, names, self._log.clock.now())
        known = next((each for each in self.bills() if each.id == bill.id), None)
        if known is None:
            self._log.store.append(bill)
        return known or bill

    def bills(self) -> list[Bill]:
        """The bills that were taken in, in that order."""
        return list(self._log.store.read(Bill))

    def bill(self, id: str) -> Bill:
        """The bill with this id, or with the one that begins so. Raises NotFound."""
        found = [each for each in self.bills() if id and each.id.startswith(id)]
        if len(found) != 1:
            what = "Several bills begin" if found else "No bill begins"
            raise NotFound(f"{what} with {id!r}. `feilun ledger bills` shows those there are.")
        return found[0]

    def reconcile(self, bill: Bill) -> Reconciled:
        """Why a bill is not what the journal says, in steps that sum exactly."""
        return ledger.reconcile(bill, ledger.used(self.trace(), bill), self._log.book)

    def correct(self, found: Reconciled) -> list[Posting]:
        """Post what a bill says beyond the journal, once. What was posted stays as it is."""
        posted = {row.cause for row in self._log.store.read(Posting, "*")}
        fresh = [
            row
            for row in ledger.corrections(found, self._log.clock.now())
            if row.cause not in posted
        ]
        if fresh:
            self._log.store.append(*fresh)
        return fresh

    # Export

    def export(self, form: Form, out: TextIO) -> int:
        """Write the journal. Returns how many postings have no known amount."""
        row = self._log.store.head().seq

        def journal() -> Iterator[Posting]:
            return self._log.store.read(Posting, until=row)

        match form:
            case Form.CSV:
                return ledger.to_csv(journal, out)
            case Form.BEANCOUNT:
                return ledger.to_beancount(journal, out)
            case Form.FOCUS:
                prices = {price.id: price for price in self._log.store.read(Price)}
                return ledger.to_focus(journal, prices, out)

    def _name(self, by: By) -> Callable[[Call], str] | None:
        if by in (By.TASK, By.MODEL):
            return ledger.by_model if by is By.MODEL else None
        keys = {key.key: key for key in self._log.store.read(Key)}  # the latest counts
        names = {
            id: (key.name if by is By.KEY else key.team if by is By.TEAM else key.app)
            for id, key in keys.items()
        }
        return lambda call: names.get(call.key or "") or ledger.NOBODY
