"""The relay: a request goes to a model's server, and to the next one where that fails."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from random import Random
from time import monotonic

from feilun.errors import EngineError, Refused, Unreachable
from feilun.gateway.hedging import Lost, Race
from feilun.gateway.legs import Asked, Leg, asked_wait, goes_on
from feilun.gateway.servers import EmbeddedServer, Model, Server
from feilun.models.breaker import blames_server
from feilun.models.pool import Pool
from feilun.models.retry import BUSY, Policy, pause
from feilun.models.sse import Spoken
from feilun.models.wire import Headers, Reply

_PATHS: dict[Spoken, bytes] = {
    "chat": b"/chat/completions",
    "responses": b"/responses",
    "messages": b"/messages",
    "embeddings": b"/embeddings",
}
_JSON = (b"content-type", b"application/json")

log = logging.getLogger("feilun.gateway")


class Relay:
    """Asks the servers of models, one after the other until one answers."""

    def __init__(self, pool: Pool, chance: Random | None = None) -> None:
        self._pool = pool
        self._chance = chance or Random()  # noqa: S311 - of waiting times, no secret

    async def ask(
        self,
        models: Sequence[Model],
        leg: Callable[[Model], Leg],
        headers: Headers | None = None,
        lost: Lost | None = None,
    ) -> Asked:
        """The first answer, whatever its status. Raises EngineError where there is none.

        An error status goes on to the next model, if there is one and the fault may be the
        server's. Where `lost` is given, and a server is to be hedged, the next one is asked
        before the first has failed; `lost` hears of a leg that was given up.
        """
        if lost and any(model.server.hedge_seconds is not None for model in models[:-1]):
            race = Race(models, leg, lambda model, sent: self._ask(model, sent, headers or []))
            return await race.run(lost)
        last = len(models) - 1
        for number, model in enumerate(models):
            try:
                asked = await self._ask(model, leg(model), headers or [])
            except EngineError:
                if number == last:
                    raise
                continue
            if number == last or not goes_on(asked.reply.status):
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
            leg.sent = True
            reply = await self._pool.send(to, b"POST", path, sent, leg.body, server.timeouts)
        except EngineError as error:
            _blame(server, leg, error)
            if not isinstance(error, Unreachable) or isinstance(server, EmbeddedServer):
                return error, None
            log.warning("%s: %s", server.name, error)  # its address is no business of a client
            return Unreachable(
                f"The engine {server.name} cannot be reached. Try `feilun engines check`."
            ), None
        if reply.status < 500 and reply.status not in BUSY:
            server.breaker.succeeded(monotonic())
            return None, reply
        refused = Refused(
            f"The engine {server.name} is busy.", reply.status, asked_wait(reply.headers)
        )
        _blame(server, leg, refused)
        return refused if reply.status in BUSY else None, reply


def _blame(server: Server, leg: Leg, error: EngineError) -> None:
    """Count a failure of a server. Where the request has reached it, this may be to blame."""
    if blames_server(error):
        reached = not isinstance(error, Unreachable)
        server.breaker.failed(monotonic(), hash(leg.body) if reached else None)
