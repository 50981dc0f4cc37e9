"""From postings back to what caused them: whose part of an amount is it, and is it right?

Postings lie in the log in the order of their causes. So two readers that go through the log
side by side meet each posting's calls (`lanes.py`), hold one group of them at a time, and
can tell where a quantity or an amount is not what the calls give. `feilun verify` and every
breakdown by key, model or day stand on this.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from feilun.errors import StoreError
from feilun.ledger.book import ITEMS, MODEL_ITEMS
from feilun.ledger.lanes import Lanes
from feilun.ledger.took import STUDENT, of_audit, of_calls, of_students, took
from feilun.records import Audit, Call, Candidate, Feedback, Posting, Price, Record, content_id

Cause = Call | Audit | Feedback | Candidate
Find = Callable[[str, str], Record]
"""The record of a kind and an id. Raises StoreError."""

_SINGLE = ("audit", "feedback", "candidate")


@dataclass(frozen=True)
class Part:
    """What one record caused of a posting. `of` is None where a day or a bill caused it."""

    posting: Posting
    item: str
    quantity: Decimal
    amount: Decimal | None
    of: Cause | None = None
    problem: str | None = None  # why the posting is not what its cause gives


class Trace:
    """Walks postings beside the calls of the same stretch of the log. Iterate once."""

    def __init__(
        self,
        postings: Iterable[Posting],
        calls: Iterable[Call],
        prices: Mapping[str, Price],
        find: Find,
    ) -> None:
        self._postings = postings
        self._lanes = Lanes(calls)
        self._prices = prices
        self._find = find

    def __iter__(self) -> Iterator[Part]:
        for cause, together in groupby(self._postings, key=_cause):
            rows = list(together)
            if cause[0].startswith(("call:", "calls:")):
                yield from self._of_calls(rows)
            elif cause[0].startswith(tuple(f"{kind}:" for kind in _SINGLE)):
                yield from self._of_record(rows)
            else:
                yield from (Part(row, "", row.quantity, row.amount) for row in rows)

    def unposted(self) -> list[str]:
        """After the walk: ids of calls that took something which no posting says."""
        return self._lanes.unposted()

    def _of_calls(self, rows: list[Posting]) -> Iterator[Part]:
        calls = self._lanes.of(rows[0])
        if calls is None:
            yield from _broken(rows, f"it stands for {rows[0].cause}: the log has no such calls")
        elif rows[0].debit == "expense:student":
            yield from self._checked(rows, calls, {STUDENT: of_students(calls)})
        else:
            items = self._items(rows, calls[0])
            whose = next((item.rpartition(":")[0] for item in items if item), "teacher")
            wanted = of_calls(took(calls), whose, cached=_has_cached(items))
            yield from self._checked(rows, calls, dict(wanted))

    def _of_record(self, rows: list[Posting]) -> Iterator[Part]:
        kind, _, id = rows[0].cause.partition(":")
        try:
            record = self._find(kind, id)
        except StoreError as error:
            yield from _broken(rows, str(error))
            return
        if isinstance(record, Audit | Feedback | Candidate):
            wanted = _wanted(record, self._items(rows, record))
            yield from self._checked(rows, [record], wanted)

    def _checked(
        self, rows: list[Posting], causes: Sequence[Cause], wanted: Mapping[str, Decimal]
    ) -> Iterator[Part]:
        """A cause's postings, which must say all that it took and no more, part by part."""
        items = self._items(rows, causes[0])
        lacking = ", ".join(item for item in wanted if item not in items)
        for item, row in zip(items, rows, strict=True):
            problem = self._problem(row, item, wanted.get(item))
            if lacking and problem is None:
                problem = f"{row.cause} also took {lacking}, and no posting says so"
            if problem or len(causes) == 1:
                yield Part(row, item, row.quantity, row.amount, causes[0], problem)
            else:
                yield from self._shared(row, item, causes, cached=_has_cached(items))

    def _shared(
        self, row: Posting, item: str, calls: Iterable[Cause], *, cached: bool
    ) -> Iterator[Part]:
        price = self._prices.get(row.price or "")
        for call in calls:
            if not isinstance(call, Call):
                continue
            if item == STUDENT:
                quantity = of_students([call])
            else:
                whose = item.rpartition(":")[0]
                quantity = dict(of_calls(took([call]), whose, cached=cached)).get(item, Decimal(0))
            if quantity:
                yield Part(row, item, quantity, price.amount * quantity if price else None, call)

    def _problem(self, row: Posting, item: str, quantity: Decimal | None) -> str | None:
        if not item or quantity is None:
            return f"{row.cause} gives no such line"
        if row.quantity != quantity:
            return f"quantity: stored {row.quantity}, derived {quantity}"
        if row.price is None:
            return None if row.amount is None else "it has an amount and names no price"
        price = self._prices[row.price]  # it named the item
        if (price.currency, price.unit) != (row.currency, row.unit):
            return f"its price {price.id} is of another unit or currency"
        if row.amount != price.amount * quantity:
            return f"amount: stored {row.amount}, derived {price.amount * quantity}"
        return None

    def _items(self, rows: Iterable[Posting], cause: Cause) -> list[str]:
        """What each row is of, "" where nothing fits: a row's id is made of cause and item."""
        models = {f"model:{getattr(cause, 'variant', None)}:{what}" for what in MODEL_ITEMS}
        return [self._item(row, {*ITEMS, *models}) for row in rows]

    def _item(self, row: Posting, known: Iterable[str]) -> str:
        if row.price is not None:
            price = self._prices.get(row.price)
            known = [price.item] if price else []
        return next((item for item in known if content_id([row.cause, item]) == row.id), "")


def _wanted(record: Cause, items: Sequence[str]) -> dict[str, Decimal]:
    """What a record that is no call gives: items and quantities."""
    match record:
        case Audit() if f"audit:{record.by}" not in items:
            whose = next((item.rpartition(":")[0] for item in items if item), "teacher")
            return dict(of_calls(of_audit(record), whose, cached=_has_cached(items)))
        case Audit():
            return {f"audit:{record.by}": Decimal(1)}
        case Candidate():
            return {"training:second": Decimal(str(record.seconds))}
        case Feedback() if record.said == "correction":
            return {"label:person": Decimal(1)}
        case Feedback() if record.said == "outcome":
            return {"revenue:outcome": Decimal(str(record.value or 0))}
        case _:
            return {"revenue:accepted": Decimal(1)}


def _cause(row: Posting) -> tuple[str, bool]:
    """Rows of one cause lie together; what students took of it is posted apart."""
    return row.cause, row.debit == "expense:student"


def _has_cached(items: Iterable[str]) -> bool:
    return any(item.endswith(":cached_token") for item in items)


def _broken(rows: Iterable[Posting], problem: str) -> Iterator[Part]:
    return (Part(row, "", row.quantity, row.amount, None, problem) for row in rows)
