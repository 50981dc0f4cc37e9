"""One request and what is said to it: what a behaviour of the faulty server is written in."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from json import dumps, loads
from typing import Protocol

from feilun.records import Json


@dataclass(frozen=True)
class Request:
    """A request as it came. Header names are in lower case; of a repeated one the last counts."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Json]:
        """The body as a JSON object; empty where it is none."""
        try:
            found = loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Outlet(Protocol):
    """The connection as an exchange needs it."""

    transport: asyncio.Transport

    async def drain(self) -> None:
        """Return when there is room to write."""


@dataclass
class Exchange:
    """A request, and the means to answer it well or badly.

    Whatever is sent goes out as it is; `sent` counts it. When the behaviour returns, the
    connection waits for the next request unless it was closed. When the client hangs up,
    the behaviour is cancelled where it waits.
    """

    request: Request
    outlet: Outlet = field(repr=False)
    sent: int = 0

    async def send(self, data: bytes) -> None:
        """Send raw bytes; waits while the client does not read."""
        self.outlet.transport.write(data)
        self.sent += len(data)
        await self.outlet.drain()

    async def hang(self) -> None:
        """Say nothing more until the client hangs up or the server stops."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Hang up after what was sent."""
        self.outlet.transport.close()

    def reset(self) -> None:
        """Hang up with a reset (RST), as a server does that was killed."""
        raw = self.outlet.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.outlet.transport.abort()


Behaviour = Callable[[Exchange], Awaitable[None]]
"""What the server does with one request."""

Pairs = Sequence[tuple[str, str]]


def head(status: int, headers: Pairs = ()) -> bytes:
    """A reply's head, with the empty line that ends it."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def whole(
    body: bytes, status: int = 200, content_type: str = "application/json", extra: Pairs = ()
) -> bytes:
    """A whole reply with its length."""
    length = ("content-length", str(len(body)))
    return head(status, [("content-type", content_type), length, *extra]) + body


def chunk(data: bytes) -> bytes:
    """One piece in chunked coding; of no bytes, it is the end."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(data: Json, name: str = "") -> bytes:
    """One server-sent event with JSON in it."""
    lead = f"event: {name}\n" if name else ""
    return f"{lead}data: {dumps(data, ensure_ascii=False)}\n\n".encode()


DONE = b"data: [DONE]\n\n"
SSE_HEAD = head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])


def answer(json: Json, status: int = 200, extra: Pairs = ()) -> Behaviour:
    """Answer with JSON."""
    return raw(whole(dumps(json, ensure_ascii=False).encode(), status, extra=extra))


def error(
    status: int, retry_after: str | None = None, message: str = "no", kind: str = "server_error"
) -> Behaviour:
    """Answer with an error in OpenAI's shape, with Retry-After or without."""
    extra = [("retry-after", retry_after)] if retry_after is not None else []
    return answer({"error": {"message": message, "type": kind, "code": None}}, status, extra)


def pieces(*parts: bytes, begin: bytes = SSE_HEAD, end: bytes = chunk(b"")) -> Behaviour:
    """Stream parts, one write and one chunk each: the boundaries are the caller's."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(begin)
        for part in parts:
            await exchange.send(chunk(part))
            await asyncio.sleep(0)  # a write of its own, so the parts arrive apart where they can
        if end:
            await exchange.send(end)

    return behave


def raw(data: bytes) -> Behaviour:
    """Answer with these very bytes and keep the connection."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(data)

    return behave
