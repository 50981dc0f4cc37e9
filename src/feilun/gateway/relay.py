"""The relay: a request goes to a model's server, to the next one where that fails, and back.

What a client and a server both speak passes as bytes. Where they differ, `models/dialects`
translates.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from time import monotonic
from types import TracebackType

import msgspec

from feilun.errors import BrokenReply, EngineError, Refused, Unreachable
from feilun.gateway.problem import Problem
from feilun.gateway.servers import EmbeddedServer, Model
from feilun.models.breaker import blames_server
from feilun.models.dialects import Translation, between, error_said
from feilun.models.pool import Pool
from feilun.models.retry import BUSY, Policy, pause, retry_after
from feilun.models.sse import Spoken
from feilun.models.wire import Headers, Reply
from feilun.records import Json

_PATHS: dict[Spoken, bytes] = {
    "chat": b"/chat/completions",
    "responses": b"/responses",
    "messages": b"/messages",
    "embeddings": b"/embeddings",
}
_JSON = (b"content-type", b"application/json")
_ERROR_BYTES = 1 << 20

log = logging.getLogger("feilun.gateway")


@dataclass(slots=True)
class Leg:
    """One request on its way to one server. `translation` is None where bytes pass."""

    spoken: Spoken  # by the server
    body: bytes
    translation: Translation | None = None
    drop_usage: bool = False  # we asked for a count that the client did not ask for


def leg_to(model: Model, spoken: Spoken, request: dict[str, Json], raw: bytes | None) -> Leg:
    """Bring a client's request to a server. Raises TaskError for what cannot be translated."""
    server = model.server
    if spoken == "embeddings":
        if server.dialect != "openai":
            raise Problem(400, f"The engine {server.name} has no embeddings. Name another model.")
        return _as_it_is(model, spoken, request, raw)
    if spoken == "responses" and server.responses:
        return _as_it_is(model, spoken, request, raw)
    translation = between(spoken, server.dialect, request, str(request["model"]))
    if translation is None:
        return _as_it_is(model, spoken, request, raw)
    translation.request["model"] = model.remote
    theirs: Spoken = "chat" if server.dialect == "openai" else "messages"
    return Leg(theirs, msgspec.json.encode(translation.request), translation)


def _as_it_is(model: Model, spoken: Spoken, request: dict[str, Json], raw: bytes | None) -> Leg:
    """The client's own bytes, but for the model's other name and the count of a stream."""
    change: dict[str, Json] = {}
    if request["model"] != model.remote:
        change["model"] = model.remote
    options = request.get("stream_options") or {}
    count = spoken == "chat" and request.get("stream") is True and not options.get("include_usage")
    if count:
        change["stream_options"] = {**options, "include_usage": True}
    if not change and raw is not None:
        return Leg(spoken, raw)
    return Leg(spoken, msgspec.json.encode({**request, **change}), drop_usage=count)


@dataclass(slots=True)
class Asked:
    """An engine's answer that has begun to arrive. Leaving the context lets go of it."""

    model: Model
    leg: Leg
    reply: Reply
    held: AbstractContextManager[None]  # the engine is not stopped while it is at work

    def __enter__(self) -> "Asked":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.reply.close()
        self.held.__exit__(None, None, None)
        self.model.server.room.release()

    async def refused(self) -> tuple[Refused, bytes]:
        """What an answer with an error status says, and its body."""
        body = await self.reply.read(_ERROR_BYTES)
        said = error_said(body) or "no reason"
        wait = _asked_wait(self.reply.headers)
        name = self.model.server.name
        error = Refused(f"The engine {name} refused: {said}", self.reply.status, wait)
        return error, body

    async def whole(self, limit: int) -> Json:
        """The whole answer, as JSON. Raises Refused for an error status, and BrokenReply."""
        if self.reply.status != 200:
            raise (await self.refused())[0]
        try:
            return msgspec.json.decode(await self.reply.read(limit))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise BrokenReply(
                f"The engine {self.model.server.name} answered with no JSON. See "
                "`feilun engines check`."
            ) from error


class Relay:
    """Asks the servers of models, one after the other until one answers."""

    def __init__(self, pool: Pool, chance: Random | None = None) -> None:
        self._pool = pool
        self._chance = chance or Random()  # noqa: S311 - of waiting times, no secret

    async def ask(
        self, models: Sequence[Model], leg: Callable[[Model], Leg], headers: Headers | None = None
    ) -> Asked:
        """The first answer, whatever its status. Raises EngineError where there is none.

        An error status goes on to the next model, if there is one and the fault may be the
        server's.
        """
        last = len(models) - 1
        for number, model in enumerate(models):
            try:
                asked = await self._ask(model, leg(model), headers or [])
            except EngineError:
                if number == last:
                    raise
                continue
            status = asked.reply.status
            if number == last or (status < 500 and status not in (401, 403, 404, 408, 429)):
                return asked
            with asked:
                pass
        raise Unreachable("No model was named. See `feilun engines list`.")

    async def _ask(self, model: Model, leg: Leg, headers: Headers) -> Asked:
        """One server, as often as its policy and its breaker allow."""
        await model.server.room.acquire()
        held = model.server.busy()
        held.__enter__()
        try:
            return Asked(model, leg, await self._send(model, leg, headers), held)
        except BaseException:
            held.__exit__(None, None, None)
            model.server.room.release()
            raise

    async def _send(self, model: Model, leg: Leg, headers: Headers) -> Reply:
        server, policy = model.server, Policy(retries=model.server.retries)
        for attempt in range(policy.retries + 1):
            if not server.breaker.allows(monotonic()):
                raise Unreachable(
                    f"The engine {server.name} failed several times and is asked again in "
                    f"{server.breaker.wait(monotonic()):.0f} s. See `feilun engines check`."
                )
            error, reply = await self._once(model, leg, headers)
            wait = None
            if error is not None:
                wait = pause(error, attempt, begun=False, policy=policy, chance=self._chance)
            if reply is not None and wait is None:
                return reply
            if wait is None:
                raise error or Unreachable(f"The engine {server.name} did not answer.")
            if reply is not None:
                reply.close()
            await asyncio.sleep(wait)
        raise Unreachable(f"The engine {server.name} did not answer.")

    async def _once(
        self, model: Model, leg: Leg, headers: Headers
    ) -> tuple[EngineError | None, Reply | None]:
        """One attempt: an error, a reply that is one (both), or a reply."""
        server = model.server
        try:
            to = await server.ready()
            path = to.base.encode() + _PATHS[leg.spoken]
            sent = [*server.headers, _JSON, *headers]
            reply = await self._pool.send(to, b"POST", path, sent, leg.body, server.timeouts)
        except EngineError as error:
            if blames_server(error):
                server.breaker.failed(monotonic())
            if not isinstance(error, Unreachable) or isinstance(server, EmbeddedServer):
                return error, None
            log.warning("%s: %s", server.name, error)  # its address is no business of a client
            return Unreachable(
                f"The engine {server.name} cannot be reached. Try `feilun engines check`."
            ), None
        if reply.status not in BUSY:
            if reply.status < 500:
                server.breaker.succeeded(monotonic())
            else:
                server.breaker.failed(monotonic())
            return None, reply
        busy = Refused(
            f"The engine {server.name} is busy.", reply.status, _asked_wait(reply.headers)
        )
        if blames_server(busy):
            server.breaker.failed(monotonic())
        return busy, reply


def _asked_wait(headers: Headers) -> float | None:
    for name, value in headers:
        if name == b"retry-after":
            return retry_after(value.decode("latin-1"), datetime.now(UTC))
    return None
