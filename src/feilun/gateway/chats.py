"""Requests in the vendors' dialects: to a model, to a task, or to the task that they match."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

import msgspec

from feilun.answer import Answerer, Asked, Begun
from feilun.discovery import Matched, render
from feilun.discovery import read as read_content
from feilun.errors import EngineError, TaskError
from feilun.gateway.answers import answer_task, facts, keep, send_call
from feilun.gateway.desk import owner
from feilun.gateway.http import JSON, SSE, ClientLeft, Request
from feilun.gateway.keeping import keep_input, keep_output
from feilun.gateway.leaving import Watch
from feilun.gateway.limits import Ask, Reservation
from feilun.gateway.parts import Parts
from feilun.gateway.problem import Problem
from feilun.gateway.relay import Asked as Reached
from feilun.gateway.relay import leg_to
from feilun.gateway.servers import Model
from feilun.gateway.speech import completion, content_of, stream, task_input
from feilun.gateway.tail import Tail
from feilun.models.dialects import Client, error_event
from feilun.models.sse import Said, Spoken, gather
from feilun.models.wire import Headers
from feilun.ports import Answer
from feilun.records import RAW, Call, Ended, Json, Key, Money, WhyTeacher

# Fields by which clients of other gateways choose where a request goes. Ours choose a model.
_ROUTING = frozenset(
    {"api_base", "base_url", "api_key", "api_version", "custom_llm_provider", "api_type",
     "endpoint", "organization", "extra_headers", "mock_response", "fallbacks"}
)  # fmt: skip

# Of a server's headers, those that a client may want; ours come beside them.
_PASSED = (b"x-ratelimit-", b"anthropic-ratelimit-", b"openai-", b"retry-after", b"request-id")
_ASKED = frozenset({b"anthropic-beta", b"openai-beta", b"anthropic-version"})

_BODY_BYTES = 64 << 20
_DEEPEST = 128  # levels of a body: what is much deeper the store could not read back
_QUICK = 1 << 18  # bytes: a longer answer is read in a thread


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
    body = parse(raw)
    asking = _Asking(parts, request, key, "embeddings", body, raw)
    try:
        await _forward(asking)
    finally:
        asking.let_go()


def parse(raw: bytes) -> dict[str, Json]:
    """A body as JSON with a model in it. Raises Problem with what is wrong."""
    body = parse_json(raw)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Problem(400, "Name a model: a string that is not empty.", param="model")
    for name in ("stream",):
        if not isinstance(body.get(name), bool | None):
            raise Problem(400, f"{name} is true or false.", param=name)
    if not isinstance(body.get("stream_options"), dict | None):
        raise Problem(400, "stream_options is an object.", param="stream_options")
    if routing := _ROUTING & body.keys():
        name = min(routing)
        raise Problem(
            400,
            f"{name} is not taken from a request: where models are is said in feilun.toml. "
            "Leave it out.",
            param=name,
        )
    return body


def parse_json(raw: bytes) -> dict[str, Json]:
    """A body as a JSON object. Raises Problem with the place of what is wrong."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        said = (
            "is nested too deeply" if isinstance(error, RecursionError) else f"is no JSON ({error})"
        )
        raise Problem(400, f"The body {said}. Send a JSON object in UTF-8.") from error
    if not isinstance(body, dict):
        raise Problem(400, "The body is no JSON object. Send one, with a model in it.")
    if raw.count(b"[") + raw.count(b"{") > _DEEPEST and _is_deeper(body, _DEEPEST):
        raise Problem(400, f"The body is nested deeper than {_DEEPEST} levels. Send a flatter one.")
    return body


def _is_deeper(value: Json, levels: int) -> bool:
    """Whether lists and objects stand in one another more than so many times."""
    level = [value]
    for _ in range(levels + 1):
        holders = [each.values() if isinstance(each, dict) else each for each in level]
        level = [v for held in holders for v in held if isinstance(v, dict | list)]
        if not level:
            return False
    return True


@dataclass
class _Asking:
    """One request on its way through, with all that was found out about it."""

    parts: Parts
    request: Request
    key: Key | None
    spoken: Spoken
    body: dict[str, Json]
    raw: bytes
    matched: Matched | None = None
    answerer: Answerer | None = None
    begun: Begun | None = None
    reservation: Reservation | None = None
    started: float = field(default_factory=perf_counter)

    @property
    def task(self) -> str:
        return self.matched.task if self.matched else RAW

    def let_go(self) -> None:
        """Give back what is reserved and was not settled."""
        if self.reservation is not None:
            self.parts.budgets.release(self.reservation)

    @property
    def client(self) -> Client:
        return "chat" if self.spoken == "embeddings" else self.spoken


async def _answer(parts: Parts, request: Request, key: Key | None, spoken: Client) -> None:
    raw = await request.body(parts.config.limits.body_bytes)
    body = parse(raw)
    asking = _Asking(parts, request, key, spoken, body, raw)
    if not isinstance(body.get("messages" if spoken != "responses" else "input"), list | str):
        name = "input" if spoken == "responses" else "messages"
        raise Problem(400, f"{name} is missing, or is no list of messages.", param=name)
    if spoken != "responses" and not all(isinstance(m, dict) for m in body["messages"]):
        raise Problem(400, "messages holds something that is no object.", param="messages")
    if body["model"].startswith("task/"):
        await _by_task(asking, body["model"].removeprefix("task/"))
        return
    asking.matched = parts.matcher.match(body)
    try:
        if not asking.matched or not await _by_student(asking, asking.matched):
            await _forward(asking)
    finally:
        asking.let_go()


async def _by_task(asking: _Asking, name: str) -> None:
    """A task asked by its name: the released variant answers."""
    parts, request = asking.parts, asking.request
    answerer = await parts.desk.answerer(name)
    input = task_input(asking.client, asking.body, answerer.task)
    asked = Asked(input, request.id, None, owner(asking.key))
    call = await answer_task(parts, name, asked, asking.key, len(asking.raw))
    await _send(asking, call, content_of(answerer.task, call.output))


async def _by_student(asking: _Asking, matched: Matched) -> bool:
    """Whether the student of the task that a request matches had the last word, and said it."""
    desk = asking.parts.desk
    asking.reservation = _reserve(asking, asking.parts.servers.find(asking.body["model"]))
    asking.answerer = await desk.answerer(matched.task)
    asked = Asked(matched.input, asking.request.id, None, owner(asking.key))
    asking.begun = await desk.begin(asking.answerer, asked)
    if asking.begun.why is not None:
        return False
    asking.let_go()
    call = asking.answerer.by_student(asking.begun)
    await _send(asking, call, render(matched.adoption, call.output))
    return True


async def _send(asking: _Asking, call: Call, content: str) -> None:
    """Keep a task's call, then give its answer in the client's dialect."""
    cost = await keep(asking.parts, call)
    if asking.body.get("stream"):
        body, kind = stream(asking.client, asking.body, call, content), SSE
    else:
        body, kind = completion(asking.client, asking.body, call, content), JSON
    await send_call(asking.parts, asking.request, call, cost, body, kind)


async def _forward(asking: _Asking) -> None:
    """The client's own request goes to the model that it names."""
    parts = asking.parts
    models = parts.servers.find(asking.body["model"])
    parts.capture.admit(parts.desk.mode(asking.task))
    if asking.reservation is None:
        asking.reservation = _reserve(asking, models)
    watch = Watch(asking.request)
    try:
        passed = [header for header in asking.request.headers if header[0] in _ASKED]
        with await parts.relay.ask(
            models, lambda model: leg_to(model, asking.spoken, asking.body, asking.raw), passed
        ) as reached:
            await _Passing(asking, reached, watch).run()
    except asyncio.CancelledError:
        if not watch.left:
            raise
        parts.metrics.clients_left += 1
        raise ClientLeft from None
    finally:
        watch.stop()


def _reserve(asking: _Asking, models: Sequence[Model]) -> Reservation | None:
    if asking.key is None:
        return None
    body = asking.body
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    most = most or body.get("max_output_tokens")
    answers = body.get("n")
    bound = 0 if asking.spoken == "embeddings" else most if isinstance(most, int) else None
    if bound is not None and isinstance(answers, int):
        bound *= max(answers, 1)
    names = [model.name for model in models]
    raw = asking.matched is None
    return asking.parts.budgets.reserve(asking.key, Ask(names, len(asking.raw), bound, raw))


class _Passing:
    """An engine's answer on its way to the client, and into the store."""

    def __init__(self, asking: _Asking, reached: Reached, watch: Watch) -> None:
        self._asking = asking
        self._reached = reached
        self._watch = watch
        self._pieces: list[bytes] = []
        self._first: float | None = None
        self._kept = False

    async def run(self) -> None:
        """Pass the answer on, whichever kind it is."""
        if self._reached.reply.status != 200:
            await self._refused()
            return
        try:
            if self._asking.body.get("stream") and self._is_stream():
                await self._stream()
            else:
                await self._whole()
        except asyncio.CancelledError:
            if self._watch.left and not self._kept:
                self._keep(await self._said(b"".join(self._pieces)), Ended.CLIENT_LEFT, wait=False)
            raise

    def _is_stream(self) -> bool:
        return any(
            name == b"content-type" and value.startswith(b"text/event-stream")
            for name, value in self._reached.reply.headers
        )

    async def _refused(self) -> None:
        """An engine's own error. Its words pass where the fault is the request's."""
        error, body = await self._reached.refused()
        status = error.status
        if status in (401, 403):
            raise Problem(
                502,
                f"The engine {self._reached.model.server.name} refuses the key that it was given. "
                "Set it anew: `feilun engines add`, then start again.",
                code="engine_refused",
            )
        if self._reached.leg.translation or not body.lstrip().startswith(b"{") or status >= 500:
            said = status if 400 <= status < 500 else 502
            raise Problem(said, str(error), code="engine_refused", retry_after=error.retry_after)
        await self._asking.request.answer(status, body, [JSON, *self._headers(None)])

    async def _whole(self) -> None:
        body = await self._reached.reply.read(_BODY_BYTES)
        self._first = perf_counter() - self._asking.started
        said = await self._said(body)
        translation = self._reached.leg.translation
        if not said.whole:
            raise EngineError(
                f"The engine {self._reached.model.server.name} answered with something that is no "
                f"answer{f' ({said.error})' if said.error else ''}. See `feilun engines check`."
            )
        if translation:
            body = msgspec.json.encode(translation.response(msgspec.json.decode(body)))
        kept, cost = self._keep(said, Ended.COMPLETE)
        if kept is not None:
            await kept
        await self._asking.request.answer(200, body, [JSON, *self._headers(cost)])

    async def _stream(self) -> None:
        asking, leg = self._asking, self._reached.leg
        request = asking.request
        turned = leg.translation.stream() if leg.translation else None
        tail = Tail(asking.client, drop_usage=leg.drop_usage)
        await request.start(200, [SSE, (b"cache-control", b"no-cache"), *self._headers(None)])
        try:
            async for piece in self._reached.reply:
                if self._first is None:
                    self._first = perf_counter() - asking.started
                self._pieces.append(piece)
                out = tail.feed(turned.feed(piece) if turned else piece)
                if out:
                    await request.piece(out)
            last = tail.held + (turned.end() if turned else b"")
            said = await self._said(b"".join(self._pieces))
            if not said.whole:
                raise EngineError("The engine stopped before the end of its answer. Ask again.")
            kept, _ = self._keep(said, Ended.COMPLETE)
            if kept is not None:
                await kept
        except (EngineError, TaskError) as error:
            last = await self._broken(str(error))
        except Exception as error:
            if not self._kept:
                raise
            last = error_event(asking.client, 503, str(error), "store_unavailable")
        await request.piece(last, more=False)

    async def _broken(self, why: str) -> bytes:
        """The engine stopped in the middle: what came was paid for, and the client is told."""
        said = await self._said(b"".join(self._pieces))
        self._keep(said, Ended.ENGINE_BROKE, wait=False)
        return error_event(self._asking.client, 502, why, "engine_broke")

    async def _said(self, body: bytes) -> Said:
        spoken = self._reached.leg.spoken
        if len(body) > _QUICK:
            return await asyncio.to_thread(gather, spoken, body)
        return gather(spoken, body)

    def _headers(self, cost: Money | None) -> Headers:
        asking = self._asking
        ours = facts(asking.request.id, asking.task, self._reached.model.name, None, None, cost)
        passed = [h for h in self._reached.reply.headers if h[0].startswith(_PASSED)]
        return ours + passed

    def _keep(
        self, said: Said, ended: Ended, *, wait: bool = True
    ) -> "tuple[asyncio.Future[None] | None, Money | None]":
        """Settle the budget and hand the call to the capture. Once."""
        asking, parts, name = self._asking, self._asking.parts, self._reached.model.name
        self._kept = True
        seconds = round(perf_counter() - asking.started, 6)
        gave = 0 if asking.spoken == "embeddings" else said.tokens_out
        cost = None
        at = parts.clock.now()
        if asking.reservation is not None:
            at = asking.reservation.at
            cost = parts.budgets.settle(
                asking.reservation, name, said.tokens_in, said.tokens_cached, gave
            )
        parts.metrics.calls[asking.task, "teacher"] += 1
        parts.metrics.tokens[name, "in"] += said.tokens_in or 0
        parts.metrics.tokens[name, "out"] += gave or 0
        parts.metrics.seconds.add(seconds)
        kept = parts.desk.kept(asking.task)
        first = round(self._first, 6) if self._first is not None else None

        def make() -> Sequence[Call]:
            by_task = self._task_call(said, seconds, ended, first)
            call = by_task or Call(
                id=asking.request.id, task=RAW, at=at, input=keep_input(asking.body, kept),
                output=keep_output(said.message, kept), variant=name, by="teacher",
                why_teacher=WhyTeacher.NO_TASK, tokens_in=said.tokens_in,
                tokens_cached=said.tokens_cached, tokens_out=gave, seconds=seconds,
                first_seconds=first, ended=ended, key=owner(asking.key), kept=kept,
            )  # fmt: skip
            return [call]

        mode = parts.desk.mode(asking.task)
        if not wait and mode == "durable":
            mode = "async"  # nobody waits for it any more
        size = len(asking.raw) + sum(map(len, self._pieces)) + 1000
        return parts.capture.add(mode, make, size), cost

    def _task_call(
        self, said: Said, seconds: float, ended: Ended, first: float | None
    ) -> Call | None:
        """The call of the task that the request matched, if the model's answer is one of it."""
        asking = self._asking
        if asking.matched is None or asking.begun is None or asking.answerer is None:
            return None
        content = said.message.get("content") if isinstance(said.message, dict) else None
        output = None
        if ended is Ended.COMPLETE:
            output = read_content(asking.matched.adoption, content) if content else None
            if output is None:
                return None
        told = Answer(output, seconds, said.tokens_in, said.tokens_cached, said.tokens_out)
        try:
            call = asking.answerer.by_teacher(
                asking.begun, told, self._reached.model.name, ended=ended, first_seconds=first
            )
        except TaskError:
            return None
        kept = asking.parts.desk.kept(asking.task)
        return call.model_copy(update={"kept": kept, "input": keep_input(call.input, kept)})
