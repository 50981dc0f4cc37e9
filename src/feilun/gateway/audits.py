"""Audits over HTTP: the queue of drawn calls, what people say of them, and how they stand."""

import asyncio
from itertools import islice
from time import monotonic

from feilun.gateway.api import call_of, check, shape
from feilun.gateway.bodies import audit_body, skip_body
from feilun.gateway.http import Request
from feilun.gateway.parts import Parts
from feilun.gateway.problem import Problem
from feilun.gateway.reading import parse_json
from feilun.house import House
from feilun.records import Audit, Call, Json, Key, Skip

_MOST = 1000
_NAME = 100


async def list_audits(parts: Parts, request: Request, key: Key | None) -> None:
    """GET /v1/audits: the drawn calls that wait for a person, the next one first.

    Who names a `person` is given calls that nobody else who does so has for ten minutes.
    """
    query = request.query()
    limit, person = _limit(query.get("limit", "50")), _person(query.get("person"))

    def wait(house: House) -> list[Json]:
        queue = house.auditing.queue(query.get("task"))
        if person is None:
            ids = list(islice(queue, limit))
        else:
            holder = f"{key.key if key else ''}:{person}"
            ids = parts.leases.take(queue, holder, limit, monotonic())
        return [_due(house.store.get(Call, id)) for id in ids]

    await request.json(200, {"data": await asyncio.to_thread(wait, parts.house)})


async def give_audit(parts: Parts, request: Request, key: Key | None) -> None:
    """POST /v1/audits."""
    body = audit_body(parse_json(await request.body(parts.config.limits.body_bytes)))
    call = await call_of(parts, key, body.call)

    def judge(house: House) -> Audit:
        check(house, call, body.output)
        audit = house.auditing.audit(call, body.output)
        parts.leases.give_back(call.id)
        parts.desk.follow()  # it may have called a student back
        return audit

    await request.json(201, shape(await asyncio.to_thread(judge, parts.house)))


async def skip_audit(parts: Parts, request: Request, key: Key | None) -> None:
    """POST /v1/audits/skips: a person cannot tell."""
    body = skip_body(parse_json(await request.body(parts.config.limits.body_bytes)))
    call = await call_of(parts, key, body.call)

    def skip(house: House) -> Skip:
        skipped = house.auditing.skip(call, body.reason)
        parts.leases.give_back(call.id)
        return skipped

    await request.json(201, shape(await asyncio.to_thread(skip, parts.house)))


async def sum_up(parts: Parts, request: Request, key: Key | None) -> None:  # noqa: ARG001
    """GET /v1/audits/summary: how the audits of each task stand."""

    def read(house: House) -> list[Json]:
        return [house.auditing.overview(name).shape() for name in house.tasks()]

    await request.json(200, {"data": await asyncio.to_thread(read, parts.house)})


def budget(parts: Parts) -> float | None:
    """How many audits a day are in the budget; None where it has none, or a price is unknown.

    An amount of money is divided by what an audit costs: by the teacher where it makes them,
    else by a person.
    """
    most, house = parts.config.audits.per_day, parts.house
    if most is None or isinstance(most, int):
        return most
    if most.currency != house.book.currency:
        return None
    if parts.config.audits.teacher == "idle":
        names = house.tasks()
        models = [(name, model.name) for name in names
                  for model in parts.servers.known(parts.desk.teacher(name))[:1]]  # fmt: skip
        prices = [house.asking.price(name, model) for name, model in models]
        price = max((each for each in prices if each is not None), default=None)
    else:
        asked = house.accounts.audit_price(parts.clock.now())
        price = asked.amount if asked else None
    return float(most.amount / price) if price else None


def _limit(text: str) -> int:
    try:
        limit = int(text)
    except ValueError as error:
        raise Problem(400, "limit is a number.", param="limit") from error
    if not 0 < limit <= _MOST:
        raise Problem(400, f"limit is from 1 to {_MOST}.", param="limit")
    return limit


def _person(name: str | None) -> str | None:
    if name is not None and not (0 < len(name) <= _NAME and name.isprintable()):
        raise Problem(400, f"person is a name of up to {_NAME} characters.", param="person")
    return name


def _due(call: Call) -> Json:
    facts = {"task": call.task, "input": call.input, "output": call.output}
    return {"call": call.id, **facts, "rate": call.audit_rate}
