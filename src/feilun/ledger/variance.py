"""From our amount to a bill's, for one model on one day, one reason at a time.

Quantity times price on both sides; one thing is changed after the other, as in an analysis
of variances, and what the sum moves by is that reason's step. So steps sum to the difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from feilun.records import BillLine

COMPARED = ("input_token", "cached_token", "output_token", "second")
_MILLION = 1_000_000
_SMALLEST = Decimal("1e-12")
_FINEST = 9  # digits after the point, of a price per million units


class Why(StrEnum):
    """What a step from our amount to the bill's is for."""

    FAILED = "failed"  # calls that did not end whole: one side counts them, the other does not
    CACHED = "cached"  # cached tokens that one side bills in full
    NOT_BILLED = "not_billed"  # in the log and not on the bill
    NOT_IN_LOG = "not_in_log"  # on the bill and not in the log
    UNPRICED = "unpriced"  # used, and without a price in our book
    PRICE = "price"  # another price of a unit
    ROUNDING = "rounding"  # the bill rounds each line
    OTHER = "other"  # what the ledger does not post: searches, storage, taxes
    UNEXPLAINED = "unexplained"  # none of these


@dataclass(frozen=True)
class Step:
    """One reason, and how much it adds to our amount."""

    why: Why
    model: str
    day: date | None
    amount: Decimal
    note: str = ""


@dataclass
class Cell:
    """One item of a model on a day: what the journal says, and the bill's lines."""

    quantity: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)
    failed_quantity: Decimal = Decimal(0)  # the part of it that is of calls which failed
    failed_amount: Decimal = Decimal(0)
    unpriced: bool = False
    rate: Decimal = Decimal(1)  # what a unit of the bill's currency costs in the book's
    lines: list[BillLine] = field(default_factory=list)

    @property
    def price(self) -> Decimal | None:
        """Ours of a unit; None where nothing was used, or its price is unknown."""
        known = self.quantity and not self.unpriced
        return self.amount / self.quantity if known else None

    @property
    def billed_quantity(self) -> Decimal:
        """Theirs; 0 where the bill does not say it."""
        return sum((line.quantity or Decimal(0) for line in self.lines), Decimal(0))

    @property
    def billed(self) -> Decimal:
        """Their amount, in our currency."""
        return self.rate * sum((line.amount for line in self.lines), Decimal(0))

    @property
    def billed_price(self) -> Decimal:
        """Theirs of a unit: ours if that gives the lines as they are rounded, else the one
        with the fewest digits per million, in their currency, that does."""
        quantity, billed = self.billed_quantity, self.billed
        slack = self.rate * sum((_half_digit(line.amount) for line in self.lines), Decimal(0))
        if self.price is not None and abs(billed - quantity * self.price) <= slack:
            return self.price
        each = billed / quantity
        for digits in range(_FINEST + 1):
            found = round(each / self.rate * _MILLION, digits) / _MILLION * self.rate
            if abs(billed - quantity * found) <= slack:
                return found
        return each


@dataclass
class Variance:
    """The bridge of one model on one day; `day` is None where a whole period is billed."""

    model: str
    day: date | None
    cells: dict[str, Cell]
    uncounted: bool = False  # some of its failed calls have no count of tokens

    def steps(self) -> Iterator[Step]:
        """The steps, in the order in which things are changed."""
        for item in [item for item in self.cells if item not in COMPARED]:
            yield from self._step(Why.OTHER, self.cells.pop(item).billed, item)
        self._infer_quantities()
        yield from self._failed()
        yield from self._cached()
        for item, cell in self.cells.items():
            yield from self._rest(item, cell)

    def _infer_quantities(self) -> None:
        """A bill without quantities: its amount may be just what ours come to."""
        for cell in self.cells.values():
            if len(cell.lines) != 1 or cell.lines[0].quantity is not None or cell.price is None:
                continue
            (line,) = cell.lines
            for quantity in (cell.quantity, cell.quantity - cell.failed_quantity):
                gap = abs(quantity * cell.price / cell.rate - line.amount)
                if gap <= _half_digit(line.amount):
                    cell.lines = [line.model_copy(update={"quantity": quantity})]
                    break

    def _failed(self) -> Iterator[Step]:
        """What failed is off the bill where the rest is nearer to it than all of it."""
        whole, ended = (self._distance(without_failed=without) for without in (False, True))
        if ended >= whole:
            return
        amount = Decimal(0)
        for cell in self.cells.values():
            cell.quantity -= cell.failed_quantity
            cell.amount -= cell.failed_amount
            amount -= cell.failed_amount
        yield from self._step(Why.FAILED, amount, "posted, and not billed")

    def _distance(self, *, without_failed: bool) -> Decimal:
        """Between both sides' tokens: of the input all, however much of it was cached."""
        gaps = {"in": Decimal(0), "out": Decimal(0)}
        for item, cell in self.cells.items():
            ours = cell.quantity - (cell.failed_quantity if without_failed else 0)
            side = "in" if item in ("input_token", "cached_token") else "out"
            gaps[side] += cell.billed_quantity - ours
        return sum((abs(gap) for gap in gaps.values()), Decimal(0))

    def _cached(self) -> Iterator[Step]:
        """Tokens that one side counts as cached and the other as input."""
        full = self.cells.setdefault("input_token", Cell())
        cached = self.cells.setdefault("cached_token", Cell())
        more = full.billed_quantity - full.quantity
        less = cached.quantity - cached.billed_quantity
        if more * less <= 0:  # they do not make up for one another
            return
        moved = min(more, less) if more > 0 else max(more, less)
        prices = [_any_price(full), _any_price(cached)]
        if prices[0] is None:
            return
        price, held = prices[0], prices[0] if prices[1] is None else prices[1]
        for cell, quantity, each in ((full, moved, price), (cached, -moved, held)):
            cell.quantity += quantity
            cell.amount += quantity * each
        note = "billed in full, posted as cached" if moved > 0 else "billed as cached"
        yield from self._step(Why.CACHED, moved * (price - held), f"{abs(moved):f} tokens {note}")

    def _rest(self, item: str, cell: Cell) -> Iterator[Step]:
        """Quantity, price and rounding of one item."""
        billed = cell.billed_quantity
        if not billed:
            yield from self._step(Why.NOT_BILLED, -cell.amount, item) if not cell.lines else ()
            return  # lines without a quantity stay unexplained
        theirs = cell.billed_price
        if cell.price is None:
            amount = cell.quantity * theirs - cell.amount
            yield from self._step(Why.UNPRICED, amount, item)
            cell.amount += amount
        missing = billed - cell.quantity
        why = Why.NOT_BILLED
        if missing > 0:
            why = Why.FAILED if self.uncounted else Why.NOT_IN_LOG
        amount = (missing * (theirs if cell.price is None else cell.price)).quantize(_SMALLEST)
        yield from self._step(why, amount, f"{abs(missing):f} of {item}")
        priced = (billed * theirs).quantize(_SMALLEST)
        note = f"{item}: {_per_million(cell.price)} to {_per_million(theirs)} per million"
        yield from self._step(Why.PRICE, priced - cell.amount - amount, note)
        yield from self._step(Why.ROUNDING, cell.billed - priced, item)

    def _step(self, why: Why, amount: Decimal, note: str) -> Iterator[Step]:
        if amount:
            yield Step(why, self.model, self.day, amount.normalize(), note)


def _any_price(cell: Cell) -> Decimal | None:
    """Ours, else theirs."""
    if cell.price is None and cell.billed_quantity:
        return cell.billed_price
    return cell.price


def _half_digit(amount: Decimal) -> Decimal:
    exponent = amount.as_tuple().exponent
    return Decimal(5).scaleb(int(exponent) - 1)


def _per_million(price: Decimal | None) -> str:
    return "unknown" if price is None else f"{round(price * _MILLION, 6).normalize():f}"
