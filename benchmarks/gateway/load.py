"""Thirty-two connections that ask as fast as they are answered: wrk, or our own without it."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import NamedTuple

import httptools
import uvloop
from server import LOAD_CORE, CannotRun, on_core
from target import DONE, Target

CONNECTIONS = 32
_HERE = Path(__file__).parent


class Load(NamedTuple):
    """What one run of the load saw."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int  # not connected, cut off, not 2xx or, of a stream, not ended with [DONE]


def tool() -> str:
    """Which load generator this machine has."""
    return "wrk" if shutil.which("wrk") else "asyncio"


def press(target: Target, stream: bool, seconds: float, work: Path, own: bool = False) -> Load:
    """Load the target for this long. `own` takes our generator where there is wrk as well."""
    bodies = target.bodies or (target.chat(stream),)
    if own or tool() != "wrk":
        with on_core(LOAD_CORE):
            return uvloop.run(_press(target, bodies, stream, seconds))
    return _wrk(target, bodies, stream, seconds, work)


def _wrk(
    target: Target, bodies: tuple[bytes, ...], stream: bool, seconds: float, work: Path
) -> Load:
    asked = work / "load.txt"
    head = [f"{name}: {value}" for name, value in target.all_headers().items()]
    asked.write_bytes(b"\n".join(["\n".join(head).encode(), b"", *bodies]) + b"\n")
    command = [shutil.which("wrk") or "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s"]
    command += ["--timeout", "60s", "-s", str(_HERE / "load.lua")]
    command += [f"http://127.0.0.1:{target.port}{target.path}", "--", str(asked)]
    with on_core(LOAD_CORE):
        done = subprocess.run(  # noqa: S603 - wrk with our script
            [*command, *(["stream"] if stream else [])], capture_output=True, text=True
        )
    result = next((row for row in done.stdout.splitlines() if row.startswith("RESULT ")), None)
    if result is None:
        raise CannotRun(f"wrk failed: {done.stderr.strip()[-300:] or done.stdout[-300:]}")
    said = json.loads(result.removeprefix("RESULT "))
    complete = said.pop("complete")
    cut = said["requests"] - complete if stream else 0
    return Load(**{**said, "requests": complete if stream else said["requests"]})._replace(
        errors=said["errors"] + cut
    )


async def _press(target: Target, bodies: tuple[bytes, ...], stream: bool, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    wires = [target.wire(body) for body in bodies]
    run = _Run(wires, begun + seconds, DONE if stream else b"")
    lines = [
        loop.create_connection(lambda: _Line(run), "127.0.0.1", target.port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(_until_closed(line) for line in lines))
    waits = sorted(run.waits) or [0.0]
    return Load(
        requests=len(run.waits),
        seconds=loop.time() - begun,
        p50_ms=1e3 * waits[len(waits) // 2],
        p99_ms=1e3 * waits[len(waits) * 99 // 100],
        errors=run.errors,
    )


async def _until_closed(line: Coroutine[None, None, tuple[asyncio.Transport, "_Line"]]) -> None:
    _, protocol = await line
    await protocol.closed


class _Run:
    """What the connections of one run share."""

    def __init__(self, wires: list[bytes], ends: float, last: bytes) -> None:
        self.wires = wires
        self.ends = ends
        self.last = last  # with what a whole body ends
        self.waits: list[float] = []
        self.errors = 0
        self._next = 0

    def wire(self) -> bytes:
        """The next request."""
        self._next = (self._next + 1) % len(self.wires)
        return self.wires[self._next]


class _Line(asyncio.Protocol):
    """One connection: a request, its answer, the next request, until the time is over."""

    transport: asyncio.Transport
    parser: httptools.HttpResponseParser
    end: bytes  # of the body, as far as it is looked at
    asked: float
    done: bool

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.done:
            self.run.errors += 1
        self.closed.set_result(None)

    def on_body(self, piece: bytes) -> None:
        self.end = (self.end + piece)[-len(self.run.last) :] if self.run.last else b""

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self.done = True
        if self.parser.get_status_code() != 200 or self.end != self.run.last:
            self.run.errors += 1
        else:
            self.run.waits.append(now - self.asked)
        if asyncio.get_running_loop().time() < self.run.ends and self.parser.should_keep_alive():
            self._ask()
        else:
            self.transport.close()

    def _ask(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.end = b""
        self.done = False
        self.asked = time.perf_counter()
        self.transport.write(self.run.wire())
