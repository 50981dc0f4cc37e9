"""Running a gateway: uvicorn on uvloop with our bounds, a drain, and the sweep of slow heads."""

import asyncio
import gc
import ipaddress
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from feilun.errors import InputError
from feilun.gateway.app import Gateway
from feilun.gateway.config import Config
from feilun.gateway.protocol import GuardedProtocol, sweep

_SWEEP_SECONDS = 5.0
_KEEP_ALIVE = 75

# New objects until the collector looks at them. Requests leave next to no cycles, and its
# looking took 8 % of the CPU of a call at the default of 700.
_GC_AFTER = 5_000


def bind(host: str, port: int) -> socket.socket:
    """A listening socket's address, taken now, so that the URL that is printed is true.

    Raises InputError for an address that is in use or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InputError(
            f"{host}:{port} cannot be listened at ({error.strerror}). Name another with --port."
        ) from error
    return bound


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(
    gateway: Gateway, config: Config, bound: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then drain. `ready` is called when requests are taken."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a client's noise is no news
    server = _Server(
        uvicorn.Config(
            gateway,
            http=GuardedProtocol,
            loop="uvloop",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # 2 frames on each step of every request, and nobody reads them
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=round(config.limits.drain_seconds),
            backlog=2048,
        )
    )

    async def run() -> None:
        watching = asyncio.create_task(_watch(server, ready))
        try:
            await server.serve(sockets=[bound])
        finally:
            watching.cancel()

    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(run())


class _Server(uvicorn.Server):
    """Drains at a signal and then returns, so that the store is closed.

    Uvicorn's own raises the signal once more after the drain, and the process dies of it.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second Ctrl-C does not wait for it."""
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


async def _watch(server: uvicorn.Server, ready: Callable[[], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    gc.collect()
    gc.freeze()  # what is there now stays: half a million objects that nobody need look at again
    gc.set_threshold(_GC_AFTER, *gc.get_threshold()[1:])
    ready()
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        sweep(list(server.server_state.connections), asyncio.get_running_loop().time())
