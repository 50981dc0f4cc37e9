"""Requests in the vendors' dialects: to a model, to a task, or to the task that they match."""

import asyncio
from functools import partial

from feilun.answer import Asked
from feilun.discovery import Matched, render
from feilun.gateway.answers import answer_task, keep, send_call
from feilun.gateway.asking import Asking
from feilun.gateway.desk import owner
from feilun.gateway.http import JSON, SSE, ClientLeft, Request
from feilun.gateway.leaving import Watch
from feilun.gateway.legs import leg_to
from feilun.gateway.overtaken import losses
from feilun.gateway.parts import Parts
from feilun.gateway.passing import Passing
from feilun.gateway.reading import parse_chat, parse_request, tenant_of
from feilun.gateway.speech import completion, content_of, stream, task_input
from feilun.models.dialects import Client
from feilun.records import Call, Key

_ASKED = frozenset({b"anthropic-beta", b"openai-beta", b"anthropic-version"})


async def chat(parts: Parts, request: Request, key: Key | None) -> None:
    """POST /v1/chat/completions."""
    await _answer(parts, request, key, "chat")


async def responses(parts: Parts, request: Request, key: Key | None) -> None:
    """POST /v1/responses."""
    await _answer(parts, request, key, "responses")


async def messages(parts: Parts, request: Request, key: Key | None) -> None:
    """POST /v1/messages."""
    await _answer(parts, request, key, "messages")


async def embeddings(parts: Parts, request: Request, key: Key | None) -> None:
    """POST /v1/embeddings."""
    raw = await request.body(parts.config.limits.body_bytes)
    asking = Asking(parts, request, key, "embeddings", parse_request(raw), raw)
    asking.tenant = tenant_of(request)
    try:
        await _forward(asking)
    finally:
        asking.let_go()


async def _answer(parts: Parts, request: Request, key: Key | None, spoken: Client) -> None:
    raw = await request.body(parts.config.limits.body_bytes)
    body = parse_chat(raw, spoken)
    asking = Asking(parts, request, key, spoken, body, raw)
    asking.tenant = tenant_of(request)
    if body["model"].startswith("task/"):
        await _by_task(asking, body["model"].removeprefix("task/"))
        return
    asking.matched = parts.matcher.match(body)
    try:
        if not asking.matched or not await _by_student(asking, asking.matched):
            await _forward(asking)
    finally:
        asking.let_go()


async def _by_task(asking: Asking, name: str) -> None:
    """A task asked by its name: the released variant answers."""
    parts, request = asking.parts, asking.request
    answerer = await parts.desk.answerer(name)
    input = task_input(asking.client, asking.body, answerer.task)
    asked = Asked(input, request.id, None, owner(asking.key), asking.tenant)
    call = await answer_task(parts, name, asked, asking.key, len(asking.raw))
    await _send(asking, call, content_of(answerer.task, call.output))


async def _by_student(asking: Asking, matched: Matched) -> bool:
    """Whether the student of the task that a request matches had the last word, and said it."""
    desk = asking.parts.desk
    asking.reserve(asking.parts.servers.find(asking.body["model"]))
    asking.answerer = await desk.answerer(matched.task)
    asked = Asked(matched.input, asking.request.id, None, owner(asking.key), asking.tenant)
    asking.begun = await desk.begin(asking.answerer, asked)
    if asking.begun.why is not None:
        return False
    asking.let_go()
    call = asking.answerer.by_student(asking.begun)
    await _send(asking, call, render(matched.adoption, call.output))
    return True


async def _send(asking: Asking, call: Call, content: str) -> None:
    """Keep a task's call, then give its answer in the client's dialect."""
    cost = await keep(asking.parts, call)
    if asking.body.get("stream"):
        body, kind = stream(asking.client, asking.body, call, content), SSE
    else:
        body, kind = completion(asking.client, asking.body, call, content), JSON
    await send_call(asking.parts, asking.request, call, cost, body, kind)


async def _forward(asking: Asking) -> None:
    """The client's own request goes to the model that it names."""
    parts = asking.parts
    models = parts.servers.find(asking.body["model"])
    parts.capture.admit(parts.desk.mode(asking.task))
    asking.reserve(models)
    lost = losses(parts, asking.task, asking.request.id, asking.key) if models[1:] else None
    watch = Watch(asking.request)
    try:
        passed = [header for header in asking.request.headers if header[0] in _ASKED]
        leg = partial(leg_to, spoken=asking.spoken, request=asking.body, raw=asking.raw)
        with await parts.relay.ask(models, leg, passed, lost) as reached:
            await Passing(asking, reached, watch).run()
    except asyncio.CancelledError:
        if not watch.left:
            raise
        parts.metrics.clients_left += 1
        raise ClientLeft from None
    finally:
        watch.stop()
