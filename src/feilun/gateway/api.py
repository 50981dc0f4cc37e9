"""Feilun's own API: tasks are asked, corrected, audited and declared."""

import asyncio
from collections.abc import Awaitable, Callable

from feilun.answer import Asked
from feilun.errors import Conflict, NotFound, TaskError
from feilun.gateway.answers import answer_task, certificate, keep, send_call
from feilun.gateway.bodies import (
    CallSaid,
    CorrectionBody,
    RatingBody,
    call_body,
    feedback_body,
    said,
    task_body,
)
from feilun.gateway.desk import own, owner
from feilun.gateway.http import JSON, Request
from feilun.gateway.keeping import keep_input
from feilun.gateway.parts import Parts
from feilun.gateway.problem import Problem
from feilun.gateway.reading import parse_json, tenant_of
from feilun.gateway.repeats import Done, Wanted, other_call
from feilun.house import House
from feilun.ledger import cost_of
from feilun.records import Call, Feedback, Json, Key, Record, Scope, Task, stable_json
from feilun.tasks import check_output
from feilun.tasks import declare as declaration


async def call_task(parts: Parts, request: Request, key: Key | None, name: str) -> None:
    """POST /v1/tasks/{name}/calls."""
    raw = await request.body(parts.config.limits.body_bytes)
    body = call_body(parse_json(raw))
    repeated = request.header(b"idempotency-key")

    async def answer() -> Done:
        asked = Asked(body.input, request.id, body.parent, owner(key), tenant_of(request))
        call = await answer_task(parts, name, asked, key, len(raw))
        return Done(call, await keep(parts, call))

    if repeated is None:
        call, cost = await answer()
    else:
        request.id = _id_of(repeated)
        wanted = Wanted(name, owner(key), body.input)
        call, cost = await _once(parts, request.id, wanted, answer)
    told = said(call, await certificate(parts, call), cost)
    await send_call(parts, request, call, cost, stable_json(_plain(told)), JSON)


async def _once(
    parts: Parts, id: str, wanted: Wanted, answer: Callable[[], Awaitable[Done]]
) -> Done:
    """A call that may have been answered before, or is being answered now."""

    async def find_or_answer() -> Done:
        return await _find(parts, id, wanted) or await answer()

    try:
        return await parts.repeats.once(id, wanted, find_or_answer)
    except Conflict:  # another gateway on this store was faster
        found = await _find(parts, id, wanted)
        if found is None:
            raise
        return found


async def _find(parts: Parts, id: str, wanted: Wanted) -> Done | None:
    """The call with this id, if it was answered before. Raises Problem for one of others."""
    try:
        call = await asyncio.to_thread(parts.house.store.get, Call, id)
    except NotFound:
        return None
    same = wanted._replace(input=keep_input(wanted.input, call.kept))
    if Wanted(call.task, call.key, call.input) != same:
        raise other_call()
    return Done(call, cost_of(call, parts.house.book))


def _id_of(repeated: bytes) -> str:
    """The id of a call that brings its own."""
    id = repeated.decode("latin-1")
    if not id.isascii() or not id.isalnum() or len(id) > 64:
        raise Problem(400, "idempotency-key is up to 64 letters and digits, as a ULID.")
    return id


async def show_call(parts: Parts, request: Request, key: Key | None, id: str) -> None:
    """GET /v1/calls/{id}."""
    call = await call_of(parts, key, id)
    await request.json(200, shape(call))


async def give_feedback(parts: Parts, request: Request, key: Key | None, id: str) -> None:
    """POST /v1/calls/{id}/feedback."""
    body = feedback_body(parse_json(await request.body(parts.config.limits.body_bytes)))
    call = await call_of(parts, key, id)

    def say(house: House) -> Feedback:
        if isinstance(body, CorrectionBody):
            check(house, call, body.output)
            return house.correct(call, body.output)
        if isinstance(body, RatingBody):
            return house.rate(call, accepted=body.said == "accepted", reason=body.reason)
        return house.outcome(call, body.value)

    given = await asyncio.to_thread(say, parts.house)
    await request.json(201, shape(given))


async def list_tasks(parts: Parts, request: Request, key: Key | None) -> None:  # noqa: ARG001
    """GET /v1/tasks."""

    def read(house: House) -> list[Json]:
        return [shape(house.task(name)) for name in house.tasks()]

    await request.json(200, {"data": await asyncio.to_thread(read, parts.house)})


async def declare(parts: Parts, request: Request, key: Key | None, name: str) -> None:  # noqa: ARG001
    """PUT /v1/tasks/{name}."""
    body = task_body(parse_json(await request.body(parts.config.limits.body_bytes)))
    task = declaration(
        name, body.instructions, body.input_schema, body.output_schema, body.red_line, body.shots
    )

    def tell(house: House) -> Task:
        house.declare(task)
        parts.desk.follow()
        return house.task(name)

    await request.json(200, shape(await asyncio.to_thread(tell, parts.house)))


async def call_of(parts: Parts, key: Key | None, id: str) -> Call:
    """A call, for a key that may see it. Raises NotFound."""
    call = await asyncio.to_thread(parts.house.store.get, Call, id)
    everything = key is not None and bool({Scope.READ, Scope.ADMIN} & set(key.scopes))
    return own(call, key, all=everything)


def check(house: House, call: Call, output: Json) -> None:
    """A right output must be one that the task allows: raw calls have no task to ask."""
    try:
        task = house.task(call.task)
    except NotFound:
        return
    wrong = check_output(task, output)
    if wrong:
        raise TaskError(f"Task {call.task}: {wrong}")


def shape(record: Record) -> Json:
    """A record as a client gets it."""
    return {"kind": record.kind, **record.model_dump(mode="json")}


def _plain(told: CallSaid) -> Json:
    return told.model_dump(mode="json")
