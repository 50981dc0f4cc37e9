"""The kiosk as tests meet it: its records one by one, or a whole stand with its people."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal

from feilun.house import House, Turn
from feilun.ports import Book, Store, Trainer
from feilun.records import KINDS, Audit, Call, Candidate, Dataset, Feedback, Json, Task
from feilun.testing import FakeBook, FakeClock, FakeEngine, MemoryStore
from feilun.testing.kiosk import GOODS, KIOSK, Line, lines, told
from feilun.training.linear import LinearTrainer
from feilun.watch import drawn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

PRICES = {
    "teacher:input_token": "0.0005",
    "teacher:output_token": "0.002",
    "student:second": "0.0001",
    "training:second": "0.0001",
    "audit:person": "0.02",
    "label:person": "0.01",
}

_numbers = count()


def at(minutes: float) -> datetime:
    """A moment, counted from noon."""
    return NOON + timedelta(minutes=minutes)


def a_call(
    id: str,
    minutes: float = 0,
    input: Json = "green tea",
    output: Json = "drinks",
    by: Literal["teacher", "student"] = "teacher",
    **more: Json,
) -> Call:
    return Call(
        id=id, task=KIOSK.task, at=at(minutes), input=input, output=output, variant=by, by=by,
        **{"audit_rate": 0.5, **more},
    )  # fmt: skip


def a_correction(call: str, output: Json, minutes: float = 1, id: str | None = None) -> Feedback:
    return said(call, "correction", minutes, id, output)


def said(
    call: str,
    what: Literal["correction", "accepted", "rejected", "outcome"],
    minutes: float = 1,
    id: str | None = None,
    output: Json = None,
) -> Feedback:
    return Feedback(
        id=id or f"said-{next(_numbers):06}", task=KIOSK.task, at=at(minutes), call=call,
        said=what, output=output,
    )  # fmt: skip


def an_audit(
    call: str,
    output: Json = "drinks",
    minutes: float = 1,
    by: Literal["person", "teacher"] = "person",
    rate: float = 0.5,
    id: str | None = None,
) -> Audit:
    return Audit(
        id=id or f"audit-{next(_numbers):06}", task=KIOSK.task, at=at(minutes), call=call,
        rate=rate, output=output, by=by,
    )  # fmt: skip


class Stand:
    """A kiosk with a house. Customers type a line a minute; its keeper knows what is right.

    The keeper judges every call that is drawn for an audit, and corrects every second one
    of the other wrong answers.
    """

    def __init__(
        self,
        *,
        store: Store | None = None,
        trainer: Trainer | None = None,
        book: Book | None = None,
        task: Task = KIOSK,
        audit_rate: float = 0.3,
        seed: int = 0,
        start: datetime = NOON,
    ) -> None:
        self.traffic = lines(2000, seed)
        self.teacher = FakeEngine(told(self.traffic))
        self.clock = FakeClock(start, seed)
        self.store = store or MemoryStore()
        self.task = task
        self.house = House(
            self.store,
            book=book or FakeBook(PRICES),
            clock=self.clock,
            trainer=trainer or LinearTrainer(),
            teachers={task.task: self.teacher},
            audit_rate=audit_rate,
        )
        self.house.declare(task)
        self._next = iter(self.traffic)
        self._notices = True

    def serve(self, customers: int) -> list[Call]:
        """Answer so many customers; the keeper says what there is to say."""
        return [self._answer(line) for _, line in zip(range(customers), self._next, strict=False)]

    def only(self, wanted: Callable[[Line], bool]) -> None:
        """From now on only customers come who are wanted."""
        self._next = iter([line for line in self._next if wanted(line)])

    def rearrange(self) -> None:
        """From now on all goods stand one shelf further, and the teacher knows it."""
        shelves = list(GOODS)
        further = dict(zip(shelves, [*shelves[1:], shelves[0]], strict=True))
        moved = [Line(line.text, further[line.gold], further[line.gold]) for line in self._next]
        self.teacher.learn(told(moved))
        self._next = iter(moved)

    def turn(self) -> Turn:
        """Turn the wheel, a minute after the last customer."""
        self.clock.advance(timedelta(minutes=1))
        turned = self.house.turn(self.task.task)
        self.clock.advance(timedelta(minutes=1))
        return turned

    def _answer(self, line: Line) -> Call:
        self.clock.advance(timedelta(minutes=1))
        call = self.house.answer(self.task.task, line.text)
        if drawn(call):
            self.house.auditing.audit(call, line.gold)
        elif call.output != line.gold:
            if self._notices:
                self.house.correct(call, line.gold)
            self._notices = not self._notices
        return call


def moved(stand: Stand, store: Store) -> None:
    """Put all that a stand's store holds into another one, at once."""
    for candidate in stand.store.read(Candidate):
        store.put(stand.store.fetch(candidate.artefact))
    for dataset in stand.store.read(Dataset):
        store.put(stand.store.fetch(dataset.examples))
    store.append(*[record for kind in KINDS.values() for record in stand.store.read(kind)])


def opened() -> Stand:
    """A stand whose student holds a release: one turn was refused, the next one certified."""
    stand = Stand()
    stand.serve(430)
    stand.turn()
    stand.serve(500)
    stand.turn()
    return stand
