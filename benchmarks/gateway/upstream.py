"""The mock model server: upstream.c where there is a compiler, else upstream_script.py."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, Self

from probe import Probe, request
from server import LOAD_CORE, CannotRun, Server, free_port

_HERE = Path(__file__).parent
ANSWER = _HERE / "answers" / "answer.json"
EVENTS = _HERE / "answers" / "events.sse"


class Counts(NamedTuple):
    """What an upstream has seen since it started."""

    connections: int
    requests: int
    streams: int  # sent to their end
    held: int  # open, waiting for the release


class Upstream:
    """A running mock upstream. `url` is what a proxy is given as the model server's."""

    def __init__(self, work: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        program = _compiled(work)
        self.kind = "C" if program else "Python"
        command = program or [sys.executable, str(_HERE / "upstream_script.py")]
        self._server = Server(
            [*command, str(self.port), str(ANSWER), str(EVENTS)], work / "upstream.log", LOAD_CORE
        )
        self._probe = Probe(self.port)
        self._await()

    def counts(self) -> Counts:
        """The counters, now. The connection that asks for them is among them, once."""
        return Counts(**json.loads(self._probe.call(request("GET", "/_stats")).body))

    def release(self) -> None:
        """Let all held streams run to their end."""
        self._probe.call(request("GET", "/_release"))

    def stop(self) -> None:
        """End the process."""
        self._probe.close()
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def _await(self) -> None:
        for _ in range(200):
            try:
                self.counts()
                return
            except OSError:
                self._server.must_run()
                time.sleep(0.05)
        self.stop()
        raise CannotRun("The mock upstream does not answer.")


def _compiled(work: Path) -> list[str] | None:
    """The C one, compiled now; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program = str(work / "upstream")
    source = str(_HERE / "upstream.c")
    subprocess.run([compiler, "-O2", "-o", program, source], check=True)  # noqa: S603
    return [program]
