"""What goes over the wire to a model's server: its address, a reply, and how long to wait.

The gateway's data path and the engines speak in these; `pool.py` moves the bytes.
"""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

Dialect = Literal["openai", "anthropic"]

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, in the order of the wire."""


@dataclass(frozen=True)
class Address:
    """Where a server listens. `base` is the path that stands before `/chat/completions`."""

    host: str
    port: int
    tls: bool = False
    base: str = ""  # "/v1", no slash at its end
    context: ssl.SSLContext | None = None  # with a CA of one's own; None: the system's


@dataclass(frozen=True)
class Timeouts:
    """Seconds. First byte and total are generous: a long answer of a large model is no fault."""

    connect: float = 5.0
    first_byte: float = 120.0
    idle: float = 60.0  # between two pieces of a body
    total: float = 900.0


class Reply(Protocol):
    """An answer that is arriving. Its connection goes back to the pool when it is read to the end.

    Iterating gives the body's pieces as they come, chunked coding undone; a slow reader
    slows the sender. `read` gives the whole body. Both raise BrokenReply, with what is
    wrong, for a body that is cut off or no HTTP, and TimedOut. `close` may be called at
    any time and more than once: a reply that was not read to its end loses its connection.
    """

    status: int
    headers: Headers

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def read(self, limit: int) -> bytes: ...

    def close(self) -> None: ...
