"""A house behind HTTP, in a few lines: what the gateway's API says, without the gateway."""

import json
from collections.abc import Callable
from itertools import islice

import httpx

from feilun.errors import EngineError, FeilunError, NotFound, StoreError, TaskError
from feilun.house import House
from feilun.ledger import cost_of
from feilun.records import Call, Json, RedLine, Shot, encode
from feilun.tasks import declare

_STATUS: list[tuple[type[FeilunError], int]] = [
    (NotFound, 404),
    (TaskError, 422),
    (StoreError, 503),
    (EngineError, 502),
]
_SAID = {
    "id", "task", "output", "variant", "by", "why_teacher", "confidence", "release", "seconds",
    "tokens_in", "tokens_out",
}  # fmt: skip


def handler(house: House) -> Callable[[httpx.Request], httpx.Response]:
    """What an `httpx.MockTransport` answers with."""

    def handle(asked: httpx.Request) -> httpx.Response:
        try:
            status, body = _answer(house, asked)
        except FeilunError as error:
            status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
            body = {"error": {"message": str(error), "type": "error", "code": None, "param": None}}
        return httpx.Response(status, json=body)

    return handle


def _answer(house: House, asked: httpx.Request) -> tuple[int, Json]:
    body = json.loads(asked.content) if asked.content else None
    match asked.method, *asked.url.raw_path.decode().partition("?")[0].split("/")[2:]:
        case "POST", "tasks", name, "calls":
            tenant = asked.headers.get("x-feilun-tenant")
            return 200, _call(house, httpx.URL(path=name).path, body, tenant)
        case "PUT", "tasks", name:
            return 200, _declare(house, name, body)
        case "GET", "tasks":
            return 200, {"data": [_json(house.task(name)) for name in house.tasks()]}
        case "GET", "calls", id:
            return 200, {**_json(house.store.get(Call, id)), "news": "of a later version"}
        case "POST", "calls", id, "feedback":
            return 201, _feedback(house, house.store.get(Call, id), body)
        case "GET", "audits":
            return 200, {"data": _due(house, asked.url.params)}
        case "POST", "audits":
            return 201, _json(
                house.auditing.audit(house.store.get(Call, body["call"]), body["output"])
            )
    raise NotFound("No such path.")


def _call(house: House, name: str, body: Json, tenant: str | None) -> Json:
    call = house.answer(name, body["input"], parent=body["parent"], tenant=tenant)
    cost = cost_of(call, house.book)
    facts = call.model_dump(mode="json", include=_SAID)
    return {**facts, "certificate": None, "cost": cost and cost.model_dump(mode="json")}


def _declare(house: House, name: str, body: Json) -> Json:
    told = declare(
        name,
        body["instructions"],
        body["input_schema"],
        body["output_schema"],
        RedLine(**body["red_line"]),
        [Shot(**shot) for shot in body["shots"]],
    )
    house.declare(told)
    return _json(told)


def _feedback(house: House, call: Call, body: Json) -> Json:
    match body:
        case {"said": "correction", "output": output}:
            return _json(house.correct(call, output))
        case {"said": "outcome", "value": value}:
            return _json(house.outcome(call, value))
        case {"said": said}:
            reason = body.get("reason")
            return _json(house.rate(call, accepted=said == "accepted", reason=reason))
    raise TaskError("Say accepted, rejected, correction or outcome.")


def _due(house: House, params: httpx.QueryParams) -> Json:
    found = islice(house.auditing.to_audit(params.get("task")), int(params["limit"]))
    facts = ("task", "input", "output")
    return [
        {"call": call.id, "rate": call.audit_rate, **{fact: getattr(call, fact) for fact in facts}}
        for call in found
    ]


def _json(record: Json) -> Json:
    return json.loads(encode(record))
