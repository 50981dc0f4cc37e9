"""One HTTP call at a time over a blocking socket: the least that a client can cost."""

import socket
import time
from collections.abc import Mapping
from typing import NamedTuple


class Answer(NamedTuple):
    """What came back, and when, in milliseconds after the request was sent."""

    status: int
    headers: dict[str, str]
    body: bytes  # as on the wire: chunked coding is left in
    first_ms: float  # the first byte of the body
    whole_ms: float


def request(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """The bytes of a request."""
    lines = {"host": "127.0.0.1", "content-length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class Probe:
    """A connection that is kept, and made anew where the server closed it."""

    def __init__(self, port: int, timeout: float = 60) -> None:
        self._port = port
        self._timeout = timeout
        self._socket: socket.socket | None = None

    def call(self, wire: bytes) -> Answer:
        """Send the request and read the answer to its end. Raises OSError where none comes."""
        fresh = self._socket is None
        try:
            return self._call(wire)
        except OSError:
            self.close()
            if fresh:
                raise
            return self._call(wire)  # an idle connection may have been closed meanwhile

    def close(self) -> None:
        """Close the connection; the next call opens one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _call(self, wire: bytes) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begun = time.perf_counter()
        self._socket.sendall(wire)
        text = b""
        while b"\r\n\r\n" not in text:
            text += self._read()
        head, _, body = text.partition(b"\r\n\r\n")
        headers = headers_of(head)
        first = time.perf_counter() if body else None
        while not is_whole(headers, body):
            body += self._read()
            first = first or time.perf_counter()
        ended = time.perf_counter()
        if headers.get("connection", "").lower() == "close":
            self.close()
        since = 1e3 * ((first or ended) - begun), 1e3 * (ended - begun)
        return Answer(int(head.split()[1]), headers, body, *since)

    def _read(self) -> bytes:
        assert self._socket is not None
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise ConnectionResetError("the server closed the connection within an answer")
        return piece


def headers_of(head: bytes) -> dict[str, str]:
    """The headers of a request or an answer, their names in lower case."""
    rows = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}


def is_whole(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body of an answer, as on the wire, is all there."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(headers.get("content-length", 0))
