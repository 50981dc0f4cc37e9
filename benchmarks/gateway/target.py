"""What the load is sent to: an address, the headers and the model's name there."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from probe import Probe, request
from server import PROXY_CORE, CannotRun, Server
from upstream import EVENTS

MESSAGES = [
    {"role": "system", "content": "You answer customers of a parcel service in one paragraph."},
    {"role": "user", "content": "My parcel has not come and nobody answers the phone."},
]
DONE = b"data: [DONE]\n\n"


class Place(NamedTuple):
    """Where a proxy is started: the upstream it is given, and a folder for its files."""

    upstream: str  # "http://127.0.0.1:9000/v1"
    work: Path
    core: int | None = PROXY_CORE
    under: tuple[str, ...] = ()  # what runs its interpreter, such as valgrind


@dataclass(frozen=True)
class Target:
    """One server to measure. `server` is None for the upstream itself."""

    name: str
    version: str
    port: int
    server: Server | None = None
    path: str = "/v1/chat/completions"
    model: str = "mock"
    headers: Mapping[str, str] = field(default_factory=dict)
    bodies: tuple[bytes, ...] = ()  # instead of a chat

    def stop(self) -> None:
        """End its process, if it has one."""
        if self.server:
            self.server.stop()

    def chat(self, stream: bool = False, hold: bool = False) -> bytes:
        """The body of a chat completion; `hold` keeps the stream open until the release."""
        asked: dict[str, object] = {"model": self.model, "messages": MESSAGES}
        if hold:
            asked["messages"] = [*MESSAGES, {"role": "user", "content": "hold-open"}]
        if stream:
            asked["stream"] = True
        return json.dumps(asked, separators=(",", ":")).encode()

    def all_headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"content-type": "application/json", **self.headers}

    def wire(self, body: bytes) -> bytes:
        """A whole request."""
        return request("POST", self.path, self.all_headers(), body)


def await_answers(target: Target, seconds: float = 120) -> None:
    """Wait until it answers as it should, whole and streamed. Raises CannotRun otherwise."""
    deadline = time.monotonic() + seconds
    probe = Probe(target.port)
    while True:
        try:
            _check(target, probe)
            return
        except OSError as error:
            if target.server:
                target.server.must_run()
            if time.monotonic() > deadline:
                raise CannotRun(f"{target.name} does not answer: {error}") from error
            time.sleep(0.2)
        finally:
            probe.close()


def _check(target: Target, probe: Probe) -> None:
    if target.bodies:
        answer = probe.call(target.wire(target.bodies[0]))
        good = answer.status == 200
    else:
        answer = probe.call(target.wire(target.chat()))
        good = answer.status == 200 and b"The parcel left the depot" in answer.body
        if good:
            answer = probe.call(target.wire(target.chat(stream=True)))
            events = EVENTS.read_bytes().count(b"data:")
            good = answer.body.count(b"data:") >= events - 1 and DONE in answer.body
    if not good:
        said = answer.body[:300].decode(errors="replace")
        raise CannotRun(f"{target.name} answers {answer.status} and not as asked: {said}")
