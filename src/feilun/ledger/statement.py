"""Balances, and what came in and went out by task, model or whoever asked."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from feilun.ledger.close import AVOIDED
from feilun.ledger.lanes import is_copy
from feilun.ledger.took import STUDENT
from feilun.ledger.trace import Part
from feilun.records import Audit, Call, Candidate, Ended, Posting

NOBODY = "(none)"
"""Calls without a key, or whose key has no team or app."""

WHEEL = "(wheel)"
"""What no caller asked for: training, labels, audits, idle devices, corrections of bills."""


@dataclass
class Balance:
    """One account of the journal. `unknown` counts its postings without an amount."""

    amount: Decimal = Decimal(0)
    unknown: int = 0


def balances(postings: Iterable[Posting]) -> dict[str, Balance]:
    """Every account's balance: what was moved to it less what was moved from it.

    They sum to zero, because every posting has both legs.
    """
    found: dict[str, Balance] = defaultdict(Balance)
    for row in postings:
        for account, sign in ((row.debit, 1), (row.credit, -1)):
            found[account].amount += sign * (row.amount or 0)
            found[account].unknown += row.amount is None
    return dict(sorted(found.items()))


@dataclass
class Account:
    """What came in and went out for one task, model, key, team or app.

    Amounts are the known ones; `unknown` names the items that had no price, and then there
    is no margin.
    """

    name: str
    calls: int = 0
    served: int = 0  # of them by students
    income: Decimal = Decimal(0)
    spent: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    avoided: Decimal = Decimal(0)  # estimated, by closings
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def cost(self) -> Decimal:
        """All that is known to have been spent."""
        return sum(self.spent.values(), Decimal(0))

    @property
    def margin(self) -> Decimal | None:
        """Income less cost; None where a price is unknown."""
        return None if self.unknown else self.income - self.cost


class Statement:
    """Accounts by what `name` says of a call, or by task where it is None.

    One walk makes it: calls are counted as the trace reads them (`counted`), and each part
    is put where it belongs (`add`). Both days are included.
    """

    def __init__(
        self,
        name: Callable[[Call], str] | None,
        since: date | None = None,
        until: date | None = None,
    ) -> None:
        self._name = name
        self._since, self._until = since or date.min, until or date.max
        self._accounts: dict[str, Account] = {}

    def counted(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The calls, counted one by one. Copies and legs that lost a race are no answers."""
        for call in calls:
            if self._within(call.at.date()) and not is_copy(call):
                mine = self._account(self._name(call) if self._name else call.task)
                mine.calls += call.ended is not Ended.OVERTAKEN
                mine.served += call.by == "student"
            yield call

    def add(self, part: Part) -> None:
        """Put a part of a posting where it belongs."""
        if self._within(part.posting.at.date()):
            _add(self._account(_whose(part, self._name)), part)

    def rows(self) -> list[Account]:
        """The accounts, the dearest first."""
        return sorted(self._accounts.values(), key=lambda one: (-one.cost, one.name))

    def _within(self, day: date) -> bool:
        return self._since <= day <= self._until

    def _account(self, whose: str) -> Account:
        return self._accounts.setdefault(whose, Account(whose))


def by_model(call: Call) -> str:
    """The model version that had the last word."""
    return call.variant


def _whose(part: Part, name: Callable[[Call], str] | None) -> str:
    if name is None:
        return part.posting.task
    match part.of:
        case Call() if name is by_model and part.item == STUDENT and part.of.by == "teacher":
            return "(students that passed it on)"
        case Call():
            return name(part.of)
        case Candidate() if name is by_model:
            return part.of.id
        case Audit() if name is by_model and part.of.variant is not None:
            return part.of.variant
        case _:
            return WHEEL


def _add(account: Account, part: Part) -> None:
    row, amount = part.posting, part.amount
    if row.debit == AVOIDED:
        account.avoided += amount or 0
        return
    if amount is None:
        account.unknown[part.item or f"{row.debit} per {row.unit}"] += 1
    elif row.credit.startswith("income:"):
        account.income += amount
    else:
        purpose = row.debit.partition(":")[2]
        account.spent["teacher" if purpose.startswith("model:") else purpose] += amount
