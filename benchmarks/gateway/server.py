"""A process under test: started on a core of its own, watched through /proc, stopped whole.

Linux only: CPU time, memory and cores are read and set where Linux has them.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PROXY_CORE = 0  # the server under test, and nothing else
LOAD_CORE = 1  # the mock upstream, the load and this script

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class CannotRun(Exception):
    """A server, a tool or a file that this benchmark needs is not there; says what to do."""


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Run on this core, and so does every process that starts meanwhile. None is any."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    if core not in before:
        raise CannotRun("This benchmark needs cores 0 and 1, one for the proxy, one for the load.")
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Server:
    """A running process with its children. Its output goes to a file, for when it fails."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        core: int | None = PROXY_CORE,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with on_core(core), log.open("wb") as out:
            self.process = subprocess.Popen(  # noqa: S603 - commands of this benchmark only
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=log.parent,
                start_new_session=True,
            )

    def cpu_seconds(self) -> float:
        """User and system time of the whole tree, also of children that have ended."""
        return sum(sum(map(int, _stat(pid)[11:15])) for pid in self._tree()) / _TICKS

    def rss_mb(self) -> float:
        """Resident memory of the whole tree. What its processes share is counted for each."""
        pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in self._tree())
        return sum(map(int, pages)) * _PAGE / 1e6

    def output(self) -> str:
        """All that it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, text: str, seconds: float = 180) -> str:
        """The first line of the output that holds this text. Raises CannotRun when it ends."""
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                for line in self.output().splitlines(keepends=True):
                    if text in line and line.endswith("\n"):
                        return line.strip()
                self.must_run()
                time.sleep(0.1)
        except BaseException:  # nobody has it yet who could stop it
            self.stop()
            raise
        self.stop()
        raise CannotRun(f"{self.log.stem} did not say {text!r} in {seconds:.0f} s: {self._last()}")

    def must_run(self) -> None:
        """Raises CannotRun, with the last words, where the process has ended."""
        code = self.process.poll()
        if code is not None:
            self.stop()
            raise CannotRun(f"{self.log.stem} ended with exit code {code}: {self._last()}")

    def stop(self) -> None:
        """End the process and its children; kill what does not end in five seconds."""
        for kill in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, kill)
                self.process.wait(5)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def _last(self) -> str:
        lines = [line for line in self.output().splitlines() if line.strip()]
        return " / ".join(lines[-3:])[-400:] or "it said nothing"

    def _tree(self) -> list[int]:
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                todo += map(int, children.read_text().split())
        return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
