"""The contract of clients, kept by the real gateway over real connections.

Each test has a house of its own, so the gateways take turns behind one door: a server in a
thread that hands every request to the gateway of the test that runs.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from feilun.client import AsyncClient, Client
from feilun.clock import SystemClock
from feilun.gateway.app import Gateway
from feilun.gateway.config import Config, ServerConfig
from feilun.gateway.http import Message, Receive, Send
from feilun.gateway.keys import first_key
from feilun.gateway.protocol import GuardedProtocol
from feilun.gateway.run import bind
from feilun.gateway.servers import configured
from feilun.house import House
from feilun.testing import FakeBook, MemoryStore
from feilun.testing.contracts_client import ClientContract, blocking
from feilun.testing.kiosk import KIOSK
from feilun.testing.upstream import Upstream, chat
from feilun.training.linear import LinearTrainer


class Door:
    """Where one server meets one gateway after the other."""

    def __init__(self) -> None:
        self.gateway: Gateway | None = None
        self._bound = bind("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._bound.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(self, http=GuardedProtocol, lifespan="off", log_config=None)
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="door")

    @contextmanager
    def open(self) -> Iterator[None]:
        """Take requests."""
        self._thread.start()
        try:
            yield
        finally:
            self._server.should_exit = True
            self._thread.join()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        assert self.gateway is not None
        await self.gateway(scope, receive, send)

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this where requests are answered."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._server.serve(sockets=[self._bound]))
        self._loop.close()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A model that says "drinks" to everything."""
    with Upstream() as upstream:
        upstream.behave(chat("drinks"))
        yield upstream


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    door = Door()
    with door.open():
        yield door


@pytest.fixture
def key(door: Door, upstream: Upstream) -> Iterator[str]:
    """The key of a gateway that has just started, before a store with the kiosk's task."""
    clock = SystemClock()
    house = House(MemoryStore(), book=FakeBook(), clock=clock, trainer=LinearTrainer())
    house.declare(KIOSK)
    secret = first_key(house.store, clock)
    assert secret is not None
    config = Config(
        teacher="mock-small",
        audit_rate=1.0,
        engines={"mock": ServerConfig(url=upstream.url, models=("mock-small",))},
    )
    door.gateway = Gateway(house, clock, config, configured(config))
    door.do(door.gateway.start())
    yield secret.get_secret_value()
    door.do(door.gateway.stop())


class TestClientOfTheGateway(ClientContract):
    @pytest.fixture
    def client(self, door: Door, key: str) -> Iterator[Client]:
        with Client(door.url, key=key) as client:
            yield client


class TestAsyncClientOfTheGateway(ClientContract):
    @pytest.fixture
    def client(self, door: Door, key: str) -> Iterator[Client]:
        with asyncio.Runner() as runner:
            client = AsyncClient(door.url, key=key)
            yield blocking(client, runner)
            runner.run(client.close())
