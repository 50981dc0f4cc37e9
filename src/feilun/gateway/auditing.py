"""Teacher audits while nobody asks for anything.

A request that comes waits for nothing: what the teacher was being asked is given up at once,
and counts against the day's budget as if it had been answered.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from time import perf_counter

from feilun.errors import EngineError, FeilunError, TaskError
from feilun.gateway.parts import Parts
from feilun.gateway.servers import Model
from feilun.models import chat
from feilun.ports import Answer
from feilun.records import Call, Task

log = logging.getLogger("feilun.gateway")

_NOTHING_TO_DO = 10.0
_NOBODY_THERE = 60.0


@dataclass
class _Day:
    """What was asked for nothing on a day of UTC, and the calls that the teacher cannot judge."""

    day: date | None = None
    lost: int = 0
    cost: Decimal = Decimal(0)
    aside: set[str] = field(default_factory=set)

    def begin(self, day: date) -> None:
        """Begin anew with each day."""
        if self.day != day:
            self.day, self.lost, self.cost, self.aside = day, 0, Decimal(0), set()

    def lose(self, found: "_Next") -> None:
        """Count what was asked and gave no audit."""
        self.lost += 1
        self.cost += found.price or Decimal(0)


@dataclass(frozen=True)
class _Next:
    """The next call to be judged; `models` is empty where the teacher has answered it itself."""

    call: Call
    task: Task
    models: list[Model]
    price: Decimal | None


async def keep_auditing(parts: Parts) -> None:
    """Make teacher audits for as long as the gateway runs, one at a time."""
    today = _Day()
    while True:
        await parts.idle.quiet()
        try:
            found = await asyncio.to_thread(_next, parts, today)
            if found is not None:
                await _judge(parts, found, today)
            wait = 0.0 if found else _NOTHING_TO_DO
        except FeilunError as error:
            log.warning("Audits by the teacher wait: %s", error)
            wait = _NOBODY_THERE
        await asyncio.sleep(wait)


def _next(parts: Parts, today: _Day) -> _Next | None:
    """The next call whose audit is in the budget. Blocks."""
    today.begin(parts.clock.now().date())
    shut: set[str] = set()  # tasks whose next audit is too dear
    for id in parts.house.asking.queue():
        if id in today.aside:
            continue
        call = parts.house.store.get(Call, id)
        task = parts.house.task(call.task)
        if call.by == "teacher":
            return _Next(call, task, [], Decimal(0))
        if call.task in shut:
            continue
        models = parts.servers.known(_teacher(parts, call.task))
        price = parts.house.asking.price(call.task, models[0].name) if models else None
        if models and _affordable(parts, price, today):
            return _Next(call, task, models, price)
        shut.add(call.task)
    return None


def _teacher(parts: Parts, name: str) -> str:
    """The model that answers a task: what was adopted from raw traffic has its own."""
    told = parts.config.tasks.get(name)
    if told is None or told.teacher is None:
        for adoption in parts.house.discovery.adoptions():
            if adoption.task == name and adoption.model:
                return adoption.model
    return parts.desk.teacher(name)


def _affordable(parts: Parts, price: Decimal | None, today: _Day) -> bool:
    """Whether one more audit is in the budget. What has no price is in no budget of money."""
    house, most = parts.house, parts.config.audits.per_day
    if today.day is None or most is None:
        return False
    paid = [house.asking.paid(name, today.day) for name in house.tasks()]
    if isinstance(most, int):
        return sum(each.audits for each in paid) + today.lost < most
    known = [each.cost for each in paid if each.cost is not None]
    if price is None or len(known) < len(paid) or most.currency != house.book.currency:
        return False
    return sum(known, today.cost) + price <= most.amount


async def _judge(parts: Parts, found: _Next, today: _Day) -> None:
    """Ask for one audit and keep it, unless a request comes first."""
    if not found.models:
        await _keep(parts, found, None, found.call.variant)
        return
    started, before = perf_counter(), parts.idle.given_up
    asking = parts.desk.ask_teacher(found.task, found.call.input, found.models)
    asked = await parts.idle.ask(asking)
    if asked is None:
        if parts.idle.given_up > before:
            today.lose(found)
        return
    model, body = asked
    try:
        said = chat.answer(found.task, body, round(perf_counter() - started, 6))
    except (EngineError, TaskError) as error:  # it was paid for; another day may go better
        today.lose(found)
        today.aside.add(found.call.id)
        log.warning("The teacher gave no audit: %s", error)
        return
    await _keep(parts, found, said, model.name)


async def _keep(parts: Parts, found: _Next, said: Answer | None, variant: str) -> None:
    """What was paid for is kept, also where the gateway ends meanwhile."""
    keep = asyncio.to_thread(parts.house.asking.keep, found.call, said, variant)
    await asyncio.shield(keep)
