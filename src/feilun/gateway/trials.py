"""Trials over HTTP: start a shadow or a canary, end it, and see what it has shown."""

import asyncio

from feilun.errors import NotFound
from feilun.gateway.bodies import CanaryBody, ShadowBody, trial_body
from feilun.gateway.http import Request
from feilun.gateway.parts import Parts
from feilun.gateway.reading import parse_json
from feilun.house import House
from feilun.records import Json, Key, Trial


async def show_trial(parts: Parts, request: Request, key: Key | None, name: str) -> None:  # noqa: ARG001
    """GET /v1/tasks/{name}/trial."""
    found = await asyncio.to_thread(parts.house.trials.show, name)
    if found is None:
        raise NotFound(f"Task {name} has had no trial. Start one: POST to this path.")
    await request.json(200, found.told())


async def set_trial(parts: Parts, request: Request, key: Key | None, name: str) -> None:  # noqa: ARG001
    """POST /v1/tasks/{name}/trial: `do` is shadow, canary or stop."""
    body = trial_body(parse_json(await request.body(parts.config.limits.body_bytes)))

    def do(house: House) -> Trial:
        if isinstance(body, ShadowBody):
            made = house.trials.start_shadow(name, body.candidate, body.reason)
        elif isinstance(body, CanaryBody):
            made = house.trials.start_canary(name, body.certificate, body.share, body.reason)
        else:
            made = house.trials.stop(name, body.reason)
        parts.desk.follow()
        return made

    made = await asyncio.to_thread(do, parts.house)
    told: Json = {"kind": made.kind, **made.model_dump(mode="json")}
    await request.json(201, told)
