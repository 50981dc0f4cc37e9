"""One child process that serves a model on this machine: begun, watched, and ended without a rest.

The parent writes one line of JSON to it and reads one line back. Its standard input stays open
for as long as the parent lives. One thread drains what it says and reaps it.
"""

import json
import os
import selectors
import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from feilun.errors import BrokenReply, Unreachable
from feilun.records import Json

_LAST = 12  # pieces of what it said that an error shows
_PIECE = 2048
_EARLY = 60.0  # seconds: a child that lives shorter has died early
_LONGEST_REST = 60.0  # seconds between starts of a child that keeps dying
# What the child's environment keeps of ours. It needs no secret of the gateway.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT")


class Child:
    """A process that was told what to serve. Raises BrokenReply where it cannot be begun."""

    def __init__(self, command: Sequence[str], order: dict[str, Json]) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a list of arguments, ours
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                start_new_session=True,  # Ctrl-C in a terminal is the parent's to answer
            )
        except OSError as error:
            raise BrokenReply(f"{command[0]} cannot be run ({error.strerror})") from error
        assert self._process.stdin  # noqa: S101 - all three were asked for
        assert self._process.stdout  # noqa: S101
        assert self._process.stderr  # noqa: S101
        self._told, self._report = self._process.stdin, self._process.stdout
        self._words = self._process.stderr
        self.ended = threading.Event()
        self._said: deque[str] = deque(maxlen=_LAST)
        self._reaper = threading.Thread(target=self._watch, name="feilun-child", daemon=True)
        self._reaper.start()
        self._tell(order)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def port(self, seconds: float) -> int:
        """Where it listens. Raises BrokenReply, with its last words, where it does not say so."""
        line = self._first_line(time.monotonic() + seconds)
        try:
            return int(json.loads(line)["port"])
        except (ValueError, KeyError, TypeError) as error:
            if not line and self.ended.wait(1.0):
                raise BrokenReply(f"it ended ({self.ending()})") from error
            said = "something else" if line else f"nothing for {seconds:.0f} s"
            raise BrokenReply(f"instead of its port it said {said}") from error

    def ending(self) -> str:
        """How it ended, and the last that it said."""
        code = self._process.returncode
        how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        words = " ".join("".join(self._said).split())
        return f"{how}; it said: {words[-500:]}" if words else how

    def end(self, grace: float) -> None:
        """End it: asked first, killed after `grace` seconds. On return it is reaped."""
        self._process.terminate()
        if not self.ended.wait(grace):
            self._process.kill()
        self._reaper.join()

    def close(self) -> None:
        """Give back the pipes of a child that has ended, once nobody waits for its port."""
        with suppress(BrokenPipeError):
            self._told.close()
        self._report.close()

    def _tell(self, order: dict[str, Json]) -> None:
        with suppress(BrokenPipeError):  # it has ended already: `port` says how
            self._told.write(json.dumps(order).encode() + b"\n")
            self._told.flush()

    def _first_line(self, deadline: float) -> bytes:
        line = b""
        with selectors.DefaultSelector() as ready:  # select() ends at 1,024 descriptors
            ready.register(self._report, selectors.EVENT_READ)
            while not line.endswith(b"\n") and len(line) < _PIECE:
                left = deadline - time.monotonic()
                if left <= 0 or not ready.select(left):
                    break
                piece = os.read(self._report.fileno(), _PIECE)
                if not piece:
                    break
                line += piece
        return line

    def _watch(self) -> None:
        """Read all that it says, so that it never waits for a reader, and then reap it."""
        with self._words as said:
            while piece := os.read(said.fileno(), _PIECE):
                self._said.append(piece.decode("utf-8", "replace"))
        self._process.wait()
        self.ended.set()


class Deaths:
    """How often a child died soon after its start, and so when it may be started again.

    The first death costs no wait: it may have been an accident. From the second on the wait
    doubles, so that a model that cannot live does not take the machine with it.
    """

    def __init__(self) -> None:
        self._count = 0
        self._not_before = 0.0
        self._words = ""

    def note(self, now: float, lived: float, words: str) -> None:
        """A child ended that nobody had stopped."""
        self._count = self._count + 1 if lived < _EARLY else 0
        rest = min(2.0 ** (self._count - 2), _LONGEST_REST) if self._count > 1 else 0.0
        self._not_before, self._words = now + rest, words

    def refuse(self, name: str, now: float) -> None:
        """Raise Unreachable while it is too early for another start."""
        if now < self._not_before:
            raise Unreachable(
                f"{name} died {self._count} times soon after its start ({self._words}). "
                f"It is started again in {self._not_before - now:.0f} s at the earliest."
            )


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # Before the program begins: threads that spin take 8 times the CPU per token.
    return {**kept, "OMP_WAIT_POLICY": "passive", "PYTHONUNBUFFERED": "1"}
