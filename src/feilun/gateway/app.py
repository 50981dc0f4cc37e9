"""The gateway itself: a bare ASGI callable that admits a request, finds its route, answers it."""

import asyncio
import logging
from contextlib import suppress

from feilun.discovery import Matcher
from feilun.errors import FeilunError, StoreError
from feilun.gateway.auditing import keep_auditing
from feilun.gateway.capture import Capture
from feilun.gateway.config import Config
from feilun.gateway.desk import Desk
from feilun.gateway.following import EnginesFile, follow
from feilun.gateway.http import ClientLeft, Message, Receive, Request, Send
from feilun.gateway.keys import Keys
from feilun.gateway.limits import Budgets, needed_since
from feilun.gateway.looking import keep_looking
from feilun.gateway.parts import Parts
from feilun.gateway.problem import Problem, problem_of
from feilun.gateway.relay import Relay
from feilun.gateway.routes import Route, find
from feilun.gateway.servers import EmbeddedServer, Server, Servers
from feilun.house import House
from feilun.models.dialects import Client, error_body
from feilun.models.pool import Pool
from feilun.models.wire import Headers
from feilun.ports import Clock
from feilun.records import Call, Key, Scope

log = logging.getLogger("feilun.gateway")

_REFRESH_SECONDS = 1.0
_DIALECTS: dict[str, Client] = {"/v1/messages": "messages", "/v1/responses": "responses"}


class Gateway:
    """One URL for all models and tasks of a house. An ASGI application with a lifespan.

    `open` asks for no keys; whoever starts it so must bind it to loopback. The engines of a
    `file` are followed as it changes.
    """

    def __init__(
        self,
        house: House,
        clock: Clock,
        config: Config,
        servers: list[Server],
        *,
        open: bool = False,
        file: EnginesFile | None = None,
    ) -> None:
        self._house = house
        self._clock = clock
        self._config = config
        self._servers = servers
        self._open = open
        self._file = file
        self._in_flight = 0
        self._following: list[asyncio.Task[None]] = []
        self.parts: Parts | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "http":
            await self._http(Request(scope, receive, send))
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def start(self) -> None:
        """Open all parts. Raises StoreError and InputError."""
        config, house = self._config, self._house
        servers = Servers(self._servers, config.aliases)
        pool = Pool()
        relay = Relay(pool)
        keys = await asyncio.to_thread(Keys, house.store, self._clock)
        since = needed_since(keys.all(), self._clock.now())
        calls = house.store.read(Call) if since else ()
        budgets = await asyncio.to_thread(Budgets, house.book, self._clock, calls)
        desk = Desk(house, config, servers, relay)
        self.parts = Parts(
            house, self._clock, config, keys, budgets, Capture(house.keep, config.capture),
            servers, pool, relay, desk, Matcher([]),
        )  # fmt: skip
        await asyncio.to_thread(self._follow, self.parts)
        forever = [self._keep_following(self.parts), keep_looking(self.parts)]
        if config.audits.teacher == "idle":
            forever.append(keep_auditing(self.parts))
        self._following = [asyncio.create_task(each) for each in forever]

    async def stop(self) -> None:
        """Keep what waits, and close all parts but the house."""
        if self.parts is None:
            return
        self.parts.draining = True
        for forever in self._following:
            forever.cancel()
            with suppress(asyncio.CancelledError):
                await forever
        await asyncio.to_thread(self.parts.capture.close)
        await self.parts.pool.close()
        for each in self.parts.servers.all:
            if isinstance(each, EmbeddedServer):
                await asyncio.to_thread(each.close)

    async def _http(self, request: Request) -> None:
        parts = self.parts
        status = 500
        route: Route | None = None
        self._in_flight += 1
        asks = False
        try:
            if parts is None:
                raise Problem(503, "The gateway is starting. Come back in a second.")
            if self._in_flight > self._config.limits.concurrency:
                raise Problem(
                    503, "Too many requests are at work. Come back in a second.", retry_after=1,
                    code="overloaded",
                )  # fmt: skip
            route, named = self._route(request)
            key = self._admit(parts, request, route)
            request.id = self._clock.new_id()
            if asks := route.scope is Scope.CALL:
                parts.idle.enter()
            await route.answer(parts, request, key, *named)
            status = 200
        except ClientLeft:
            status = 499  # nginx's word for it; nobody gets it
        except Problem as problem:
            status = await _tell(request, problem)
        except FeilunError as error:
            status = await _tell(request, problem_of(error))
        except Exception:
            log.exception("A request to %s failed by our own fault", route.path if route else "?")
            status = await _tell(
                request,
                Problem(500, "Feilun failed; its log says where. Please report it.", code="bug"),
            )
        finally:
            self._in_flight -= 1
            if asks and parts is not None:
                parts.idle.leave()
            if parts is not None:
                parts.metrics.requests[route.path if route else "other", status] += 1

    def _route(self, request: Request) -> tuple[Route, list[str]]:
        found = find(request.method, request.path)
        if isinstance(found, tuple):
            return found
        if found:
            allowed = ", ".join(found)
            raise Problem(
                405, f"This path takes {allowed}.", code="method_not_allowed", allow=allowed
            )
        raise Problem(404, "There is nothing at this path. See /openapi.json.", code="not_found")

    def _admit(self, parts: Parts, request: Request, route: Route) -> Key | None:
        if route.scope is None or self._open:
            return None
        return parts.keys.admit(request.headers, route.scope)

    async def _keep_following(self, parts: Parts) -> None:
        """Follow what other processes change, and ask servers for their models."""
        while True:
            try:
                if self._file is not None:
                    await follow(self._file, parts)
                await asyncio.to_thread(self._follow, parts)
                await parts.servers.refresh(parts.pool)
            except StoreError as error:
                log.warning("The store is away: %s", error)
            await asyncio.sleep(_REFRESH_SECONDS)

    def _follow(self, parts: Parts) -> None:
        parts.keys.refresh()
        if parts.desk.follow():
            parts.matcher = Matcher(self._house.discovery.adoptions())

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except FeilunError as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _tell(request: Request, problem: Problem) -> int:
    """Tell a client of a problem. An answer that has begun can only be ended."""
    if request.started:
        request.abort()
        await request.gone()
        return problem.status
    client = _DIALECTS.get(request.path, "chat")
    body = error_body(client, problem.status, problem.message, problem.code, problem.param)
    headers: Headers = []
    if request.id:
        headers.append((b"x-feilun-call", request.id.encode()))
    if problem.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, round(problem.retry_after))))
    if problem.allow is not None:
        headers.append((b"allow", problem.allow.encode()))
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if problem.close:
        headers.append((b"connection", b"close"))
    await request.json(problem.status, body, headers)
    return problem.status
