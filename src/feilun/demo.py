"""The demo: sixty days of the sample's traffic go round the wheel, in seconds.

Recorded: the order of the lines and the teacher's answers, tokens and seconds. Simulated:
the people. They know the gold category; they correct a wrong answer with probability
`CORRECTS` and judge every call that is drawn for an audit. Real: everything else.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

from feilun.apps.daily.sample import FIRST_DAY, Line, answers, lines
from feilun.apps.daily.tasks import category
from feilun.errors import InputError
from feilun.figures import Period, period
from feilun.house import House, Turn
from feilun.ledger import Payback
from feilun.models import RecordedEngine
from feilun.ports import Progress
from feilun.records import Audit, Call, Feedback, Record, Release, digest
from feilun.testing import FakeClock
from feilun.verify import Check, verify
from feilun.watch import drawn, judged
from feilun.wiring import PRICES, open_house

TEACHER = "prompt:qwen2.5-coder-1.5b-instruct-q4_k_m"
CORRECTS = 0.35  # of the wrong answers that they are shown, people correct this share
AUDIT_RATE = 0.3  # of calls, until the first release
WATCH_RATE = 0.15  # of calls, from then on
TURN_EVERY = 7  # days


@dataclass(frozen=True)
class Day:
    """One day of the replay. `right` is counted against gold, which only a demo has."""

    day: date
    calls: int
    by_student: int
    right: int


@dataclass(frozen=True)
class Story:
    """All that the table and the report show, each figure derived from the log."""

    task: str
    max_loss: float
    currency: str
    days: tuple[Day, ...]
    turns: tuple[Turn, ...]
    before: Period  # until the first release
    after: Period | None  # since then
    payback: Payback
    checks: tuple[Check, ...]
    corrections: int
    audits: int
    folder: Path


def run(
    folder: Path, prices: Path = PRICES, seed: int = 1, progress: Progress | None = None
) -> Story:
    """Replay the sample into a new store in `folder`. Raises InputError if one is there."""
    if (folder / "feilun.db").exists():
        raise InputError(f"{folder} holds a store already. Give another folder, or remove it.")
    sample = lines()
    clock = FakeClock(FIRST_DAY)
    house = open_house(
        folder,
        prices=prices,
        teachers={category.task: RecordedEngine(TEACHER, answers())},
        audit_rate=AUDIT_RATE,
        clock=clock,
    )
    try:
        house.declare(category)
        turns = tuple(_replay(house, clock, sample, seed, progress))
        return _tell(house, turns, {call_id(line): line.gold for line in sample}, folder)
    finally:
        house.close()


def call_id(line: Line) -> str:
    """The id of a line's call: made of its content, so every replay draws the same audits."""
    return digest(f"{line.at.isoformat()} {line.person} {line.text}".encode())[:26]


def _replay(
    house: House, clock: FakeClock, sample: list[Line], seed: int, progress: Progress | None
) -> Iterator[Turn]:
    people = random.Random(seed)  # noqa: S311 - simulated people, no secret
    done = 0
    for number, (_, today) in enumerate(groupby(sample, lambda line: line.at.date()), start=1):
        records: list[Record] = []
        for line in today:
            clock.advance(line.at - clock.now())
            call = house.ask(category.task, line.text, id=call_id(line))
            records += [call, *_react(call, line.gold, people, clock)]
            done += 1
        house.keep(*records)
        house.watching.look(category.task)
        if progress:
            progress(done, len(sample))
        if number % TURN_EVERY == 0 and done < len(sample):
            clock.advance(timedelta(minutes=1))
            turn = house.turn(category.task)
            if turn.release:
                house.audit_rate = WATCH_RATE
            yield turn


def _react(
    call: Call, gold: str, people: random.Random, clock: FakeClock
) -> Iterator[Audit | Feedback]:
    """What a simulated person says: an audit if the call is drawn, else perhaps a correction."""
    notices = people.random() < CORRECTS
    id, at = f"{call.id}-said", clock.now()
    if drawn(call):
        yield judged(call, gold, "person", id=id, at=at)
    elif call.output != gold and notices:
        yield Feedback(id=id, at=at, task=call.task, call=call.id, said="correction", output=gold)


def _tell(house: House, turns: tuple[Turn, ...], gold: dict[str, str], folder: Path) -> Story:
    name = category.task
    calls = list(house.store.read(Call, name))
    moves = [moved.at for moved in house.store.read(Release, name)]
    before = period(house, name, lambda call: not moves or call.at < moves[0])
    if before is None:
        raise InputError("The sample has no call before the first release.")
    return Story(
        task=name,
        max_loss=category.red_line.max_loss,
        currency=house.book.currency,
        days=tuple(_days(calls, gold)),
        turns=turns,
        before=before,
        after=period(house, name, lambda call: call.at >= moves[0]) if moves else None,
        payback=house.accounts.payback(name),
        checks=tuple(verify(house)),
        corrections=sum(f.said == "correction" for f in house.store.read(Feedback, name)),
        audits=len(house.auditing.audited(name)),
        folder=folder,
    )


def _days(calls: list[Call], gold: dict[str, str]) -> Iterator[Day]:
    for day, group in groupby(calls, lambda call: call.at.date()):
        today = list(group)
        yield Day(
            day=day,
            calls=len(today),
            by_student=sum(call.by == "student" for call in today),
            right=sum(call.output == gold[call.id] for call in today),
        )
