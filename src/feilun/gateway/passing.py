"""Passing: an engine's answer goes to the client as it comes, and into the store when it ends."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

import msgspec

from feilun.discovery import read as read_content
from feilun.errors import BrokenReply, EngineError, TaskError
from feilun.gateway.answers import facts
from feilun.gateway.asking import Asking
from feilun.gateway.desk import owner
from feilun.gateway.http import JSON, SSE
from feilun.gateway.keeping import keep_call, keep_input, keep_output
from feilun.gateway.leaving import Watch
from feilun.gateway.legs import Asked
from feilun.gateway.problem import Problem
from feilun.gateway.tail import Tail
from feilun.models.dialects import error_event
from feilun.models.sse import Said, gather
from feilun.models.wire import Headers
from feilun.ports import Answer
from feilun.records import RAW, Call, Ended, Money, WhyTeacher

# Of a server's headers, those that a client may want; ours come beside them.
_PASSED = (b"x-ratelimit-", b"anthropic-ratelimit-", b"openai-", b"retry-after", b"request-id")

_BODY_BYTES = 64 << 20  # of an answer, whole or streamed: all of it is held until it is kept
_QUICK = 1 << 18  # bytes: a longer answer is read in a thread


class Passing:
    """An engine's answer on its way to the client, and into the store."""

    __slots__ = ("_asking", "_first", "_kept", "_pieces", "_reached", "_size", "_watch")

    def __init__(self, asking: Asking, reached: Asked, watch: Watch) -> None:
        self._asking = asking
        self._reached = reached
        self._watch = watch
        self._pieces: list[bytes] = []
        self._size = 0  # of the pieces
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
                "Give it another: `feilun engines remove`, then `feilun engines add`.",
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
                self._collect(piece)
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

    def _collect(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _BODY_BYTES:
            raise BrokenReply(f"The engine sent more than {_BODY_BYTES >> 20} MB. Ask for less.")

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
                tenant=asking.tenant,
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
        if call.trial is not None:
            call = asking.answerer.beside([call])[0]
        return keep_call(call, asking.parts.desk.kept(asking.task))
