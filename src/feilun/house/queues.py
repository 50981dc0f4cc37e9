"""What the log says of audits, read once and then followed: who waits, who judged, what it cost."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from feilun import ledger, watch
from feilun.discovery import is_copy
from feilun.house.log import Log
from feilun.records import Audit, Call, Posting, Skip

# Of the teacher's calls, whose costs foretell those of its audits.
_LATEST = 500


@dataclass(slots=True)
class Paid:
    """Audits for which the teacher was asked, and what they cost; None: a price is unknown."""

    audits: int = 0
    cost: Decimal | None = Decimal(0)


@dataclass
class Line:
    """The audits of one task. `costs` are those of its teacher's latest calls, by variant."""

    drawn: watch.Drawn = field(default_factory=watch.Drawn)
    rate: float | None = None  # of the latest call
    cost: Decimal | None = Decimal(0)  # of all audits so far
    costs: deque[tuple[str, Decimal | None]] = field(default_factory=lambda: deque(maxlen=_LATEST))
    paid: dict[date, Paid] = field(default_factory=dict)
    seen: int = 0


class Queues:
    """The lines of a log's tasks. May be called from any thread."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lines: dict[str, Line] = {}
        self._reading = threading.Lock()

    @contextmanager
    def of(self, name: str) -> Iterator[Line]:
        """The line of a task as the log has it now, to be looked at while this is held."""
        with self._reading:
            line = self._lines.pop(name, None) or Line()
            head = self._log.store.head().seq
            if line.seen < head:
                self._read(name, line, head)
            self._lines[name] = line  # one that could not be read is read anew
            yield line

    def _read(self, name: str, line: Line, head: int) -> None:
        store, book = self._log.store, self._log.book
        for call in store.read(Call, name, after=line.seen, until=head):
            line.drawn.call(call)
            line.rate = call.common_rate or call.audit_rate
            if call.by == "teacher" and not is_copy(call):
                cost = ledger.cost_of(call, book)
                line.costs.append((call.variant, cost.amount if cost else None))
        for audit in store.read(Audit, name, after=line.seen, until=head):
            line.drawn.audit(audit)
            if asked(audit):
                paid = line.paid.setdefault(audit.at.date(), Paid())
                paid.audits += 1
                paid.cost = add(paid.cost, cost_of(audit, self._log))
        for skip in store.read(Skip, name, after=line.seen, until=head):
            line.drawn.skip(skip)
        for posting in store.read(Posting, name, after=line.seen, until=head):
            if posting.debit == "expense:audit":
                line.cost = add(line.cost, posting.amount)
        line.seen = head


def asked(audit: Audit) -> bool:
    """Whether the teacher was asked for an audit: its own answers cost nothing once more."""
    return audit.by == "teacher" and bool(audit.tokens_in or audit.tokens_out or audit.seconds)


def cost_of(audit: Audit, log: Log) -> Decimal | None:
    """What an audit costs; None where a price is unknown."""
    total: Decimal | None = Decimal(0)
    for posting in ledger.postings([audit], log.book):
        total = add(total, posting.amount)
    return total


def add(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """A sum of which a part may be unknown: then it all is."""
    return None if one is None or other is None else one + other
