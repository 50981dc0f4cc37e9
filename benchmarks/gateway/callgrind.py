"""What a server executes for a call, counted by valgrind instead of timed.

A count does not depend on what else the machine does. Callgrind counts the instructions of
user space; the work of the kernel is told by the number of system calls, which valgrind
traces. One thread runs at a time and all of it takes some 30 times as long, so the load must
wait for answers instead of going by the clock.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from server import CannotRun
from target import Target

_TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)
_SYSTEM_CALL = re.compile(rb"SYSCALL\[\d+,\d+\]\( *\d+\) sys_(\w+)")
# Clocks are read without the kernel outside of valgrind. How often a thread waits for
# another, or the loop for a socket, is chance. OpenSSL asks for the process's number six
# times a call under Python 3.11 and never under 3.12.
_NOT_COUNTED = frozenset(
    {b"clock_gettime", b"gettimeofday", b"time", b"getpid", b"futex", b"sched_yield"}
    | {b"epoll_wait", b"epoll_pwait", b"poll", b"restart_syscall"}
)


class Cost(NamedTuple):
    """What was executed for one call."""

    instructions: float
    system_calls: float


class Counter:
    """Counts what one process executes. Put `command` before its own, then `attach`."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("callgrind_control") is None:
            raise CannotRun("valgrind is not there. On Debian and Ubuntu: apt-get install valgrind")
        self._dumps = folder / "dump"
        self._log = folder / "valgrind.log"
        self._control: list[str] = []
        self._number = 0
        self._read = 0

    @property
    def command(self) -> tuple[str, ...]:
        """What runs a program so that it can be counted; it is not, until `attach`."""
        return (
            *("env", "PYTHONHASHSEED=0"),
            *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--trace-syscalls=yes"),
            *(f"--callgrind-out-file={self._dumps}", f"--log-file={self._log}"),
        )

    def attach(self, target: Target) -> None:
        """Count from now on."""
        assert target.server
        self._control = ["callgrind_control", str(target.server.process.pid)]
        self._tell("--instr=on")
        self._traced()

    def take(self, calls: int) -> Cost:
        """What each of these calls cost, all since this was asked last, or since `attach`."""
        self._tell("--dump")
        self._number += 1
        totals = _TOTALS.search(Path(f"{self._dumps}.{self._number}").read_text())
        if totals is None:
            raise CannotRun(f"{self._dumps}.{self._number} holds no totals.")
        return Cost(int(totals[1]) / calls, system_calls(self._traced()) / calls)

    def _traced(self) -> bytes:
        with self._log.open("rb") as log:
            log.seek(self._read)
            said = log.read()
        self._read += len(said)
        return said

    def _tell(self, what: str) -> None:
        done = subprocess.run([*self._control, what], capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-300:]
            raise CannotRun(f"callgrind_control {what} failed: {said}")


def system_calls(trace: bytes) -> int:
    """How many of those that are counted are in what `--trace-syscalls` wrote."""
    return sum(name not in _NOT_COUNTED for name in _SYSTEM_CALL.findall(trace))
