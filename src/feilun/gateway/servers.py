"""Which server answers which model: engines by name, aliases, and how each of them is doing."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urlsplit

import msgspec

from feilun.errors import EngineError, FeilunError, InputError
from feilun.gateway.config import Config, ServerConfig
from feilun.gateway.problem import Problem
from feilun.models.breaker import Breaker
from feilun.models.embedded import Embedded, Running
from feilun.models.pool import Pool
from feilun.models.wire import Address, Dialect, Headers, Timeouts

_AGENT = (b"user-agent", b"feilun")
_PLAIN = (b"accept-encoding", b"identity")
_LIST_BYTES = 8 << 20
_ASK_AGAIN = 10.0  # seconds until a server is asked for its models once more
_LIST_TIMEOUTS = Timeouts(first_byte=5.0, idle=5.0, total=10.0)


class Server:
    """One model server: where it is, how to greet it, how it is doing, what it has.

    `ready` returns its address; an engine that must be started first is started then.
    """

    def __init__(
        self,
        name: str,
        *,
        dialect: Dialect = "openai",
        models: Iterable[str] = (),
        responses: bool = False,
        retries: int = 2,
        hedge_seconds: float | None = None,
        concurrency: int = 256,
        timeouts: Timeouts | None = None,
        address: Address | None = None,
        headers: Headers | None = None,
    ) -> None:
        self.name = name
        self.dialect = dialect
        self.models = list(models)
        self.lists = not self.models  # it is asked what it has
        self.responses = responses
        self.retries = retries
        self.hedge_seconds = hedge_seconds
        self.timeouts = timeouts or Timeouts()
        self.room = asyncio.Semaphore(concurrency)
        self.breaker = Breaker()
        self.headers: Headers = [_AGENT, _PLAIN, *(headers or [])]
        self._address = address
        self._asked = -_ASK_AGAIN

    def health(self) -> str:
        """Whether requests go to it: the state of its breaker."""
        return self.breaker.state(monotonic()).value

    def busy(self) -> AbstractContextManager[None]:
        """To be held while a request is at work."""
        return nullcontext()

    async def ready(self) -> Address:
        """Where to ask. Raises EngineError where there is nobody to be asked."""
        if self._address is None:
            raise EngineError(f"The engine {self.name} has no address.")
        return self._address

    async def refresh(self, pool: Pool) -> None:
        """Ask a server that names no models in the configuration which it has."""
        if not self.lists or monotonic() - self._asked < _ASK_AGAIN:
            return
        self._asked = monotonic()
        try:
            to = await self.ready()
            path = to.base.encode() + b"/models"
            reply = await pool.send(to, b"GET", path, self.headers, b"", _LIST_TIMEOUTS)
            body = await reply.read(_LIST_BYTES)
            if reply.status == 200:
                self.models = [found.id for found in msgspec.json.decode(body, type=_List).data]
        except (FeilunError, msgspec.MsgspecError):
            return  # it may be up later; `feilun engines check` says what is wrong


class EmbeddedServer(Server):
    """The embedded engine as a server: started by the first request that needs it."""

    def __init__(self, engine: Embedded) -> None:
        self.real = engine.name.removeprefix("prompt:")
        super().__init__("embedded", models=(self.real,), concurrency=64)
        self._engine = engine
        self._starting: asyncio.Future[Running] | None = None

    def busy(self) -> AbstractContextManager[None]:
        """Inside of it the engine is not stopped for idleness."""
        return self._engine.busy()

    @property
    def state(self) -> str:
        """What the engine is doing, for `/healthz`."""
        return self._engine.state.value

    async def ready(self) -> Address:
        """Start it where it is down; all that wait for the start share it."""
        running = self._engine.running
        if running is None:
            if self._starting is None or self._starting.done():
                loop = asyncio.get_running_loop()
                self._starting = loop.run_in_executor(None, self._engine.start)
            running = await asyncio.shield(self._starting)
        bearer = b"Bearer " + running.key.get_secret_value().encode()
        self.headers = [_AGENT, _PLAIN, (b"authorization", bearer)]
        return running.address

    def close(self) -> None:
        """Stop the engine, for good. Blocks."""
        self._engine.close()


class _Entry(msgspec.Struct):
    id: str


class _List(msgspec.Struct):
    data: list[_Entry]


@dataclass(frozen=True)
class Model:
    """One way to answer a request: a server, and the model's name there."""

    name: str  # as Feilun, its prices and its calls know it
    server: Server
    remote: str


class Servers:
    """All servers of a gateway, and the names under which their models are asked for."""

    def __init__(self, servers: Iterable[Server], aliases: Mapping[str, tuple[str, ...]]) -> None:
        self.all = list(servers)
        self._aliases = self._with_embedded(aliases)

    def replace(self, servers: Iterable[Server], aliases: Mapping[str, tuple[str, ...]]) -> None:
        """Take others in the place of all but the embedded. What is at work ends where it is."""
        embedded = [each for each in self.all if isinstance(each, EmbeddedServer)]
        self.all = [*servers, *embedded]
        self._aliases = self._with_embedded(aliases)

    def names(self) -> list[str]:
        """Every model and alias, sorted."""
        return sorted({*self._aliases, *(name for each in self.all for name in each.models)})

    def find(self, name: str) -> list[Model]:
        """The models that a name stands for, in the order in which to try them.

        A name is an alias, a model, or `engine/model`. Raises Problem with the names there are.
        """
        found = self.known(name)
        if not found:
            some = ", ".join(self.names()[:20]) or "none yet; see `feilun engines add --help`"
            raise Problem(
                404,
                f"No model is called {name[:100]!r} here. Models: {some}.",
                code="model_not_found",
                param="model",
            )
        return found

    def known(self, name: str) -> list[Model]:
        """The same, and none where nobody has such a model now."""
        return [one for each in self._aliases.get(name, (name,)) for one in self._named(each)]

    async def refresh(self, pool: Pool) -> None:
        """Ask the servers that list their models themselves."""
        await asyncio.gather(*(each.refresh(pool) for each in self.all))

    def _with_embedded(self, aliases: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        embedded = [each.real for each in self.all if isinstance(each, EmbeddedServer)]
        return {**({"embedded": tuple(embedded)} if embedded else {}), **aliases}

    def _named(self, name: str) -> list[Model]:
        found = [Model(name, each, name) for each in self.all if name in each.models]
        if found:
            return found
        server, _, remote = name.partition("/")
        return [
            Model(remote, each, remote)
            for each in self.all
            if each.name == server and remote in each.models
        ]


def configured(config: Config) -> list[Server]:
    """The servers of a `feilun.toml`. Raises InputError for an address that is none."""
    return [_server(name, found) for name, found in config.engines.items()]


def _server(name: str, config: ServerConfig) -> Server:
    secret = config.secret()
    headers: Headers = []
    if config.dialect == "anthropic":
        headers.append((b"anthropic-version", b"2023-06-01"))
    if secret is not None:
        value = secret.get_secret_value()
        if not value.isascii() or not value.isprintable():
            raise InputError(f"engines.{name}: its key holds characters that no header may have.")
        headers.append(
            (b"x-api-key", value.encode())
            if config.dialect == "anthropic"
            else (b"authorization", b"Bearer " + value.encode())
        )
    return Server(
        name,
        dialect=config.dialect,
        models=config.models,
        responses=config.responses,
        retries=config.retries,
        hedge_seconds=config.hedge_seconds,
        concurrency=config.concurrency,
        timeouts=config.timeouts,
        address=address_of(name, config.url),
        headers=headers,
    )


def address_of(name: str, url: str) -> Address:
    """The address of a configured URL. Raises InputError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"engines.{name}: the URL cannot be read: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise InputError(
            f"engines.{name}: write the URL as https://host:port/v1, without a key in it."
        )
    tls = parts.scheme == "https"
    return Address(parts.hostname, port or (443 if tls else 80), tls, parts.path.rstrip("/"))
