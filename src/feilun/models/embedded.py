"""The embedded engine: a model of the catalogue, served by a child process on this machine.

The child is an HTTP server like any other: the gateway sends it bytes by its address and key,
and as an `Engine` it is asked for the answers of tasks. It is started by the first call that
needs it (and its model fetched), ends when nobody has asked for a while, never under a call
that is at work, and is started again when it died. Two processes that embed the same model
share its file and nothing else: each has a child of its own.
"""

import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

import httpx
from pydantic import SecretStr

from feilun.errors import BrokenReply, EngineError, Refused, TimedOut, Unreachable
from feilun.models import chat
from feilun.models.catalogue import Catalogue, Model, models_folder
from feilun.models.child import Child, Deaths
from feilun.models.fetch import Tell, fetch
from feilun.models.folder import Folder
from feilun.models.memory import available, estimate, idle_cores, refuse_what_has_no_room
from feilun.models.wire import Address
from feilun.ports import Answer, Progress
from feilun.records import Json, Task

COMMAND = (sys.executable, "-m", "feilun.models.embedded_process")

# Calls that are at work side by side, each with a whole context. One would let a long answer
# hold up every short one; on a CPU more add no speed (1.15 times at four, reference).
SLOTS = 2
# Prompts kept for reuse; a cold prefix of 455 tokens took 20 to 67 times as long as a warm one.
CACHE_MIB = 256

_LOADING = 300.0  # seconds that a model may take to load: 1.1 GB took 9 s from a cold disk
_NOTICED = 2.0  # seconds until the death of a gigabyte is noticed
_GRACE = 5.0  # seconds between the request to end and the kill
_ANSWERING = 600.0  # seconds that one answer may take, waiting for its turn included


class State(Enum):
    """What the engine is doing, with a sentence for people."""

    DOWN = "no model is loaded; the next call loads it"
    FETCHING = "the model's file is being fetched"
    LOADING = "the model is being loaded"
    UP = "the model answers"


@dataclass(frozen=True)
class Running:
    """A child that answers: where, with which key, and its process id."""

    address: Address
    key: SecretStr
    pid: int


class Embedded:
    """One model in a child process. All methods may be called from any thread.

    To use its server, enter `busy` first, then take `running`, or `start()` where that is
    None: inside `busy` the child is not stopped for idleness.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        name: str = "embedded",
        *,
        folder: Path | None = None,
        context: int = 4096,
        threads: int | None = None,
        idle_seconds: float = 900.0,
        command: Sequence[str] = COMMAND,
        clock: Callable[[], float] = time.monotonic,
        memory: Callable[[], int | None] = available,
    ) -> None:
        self.model: Model = catalogue.get(name)
        self._doing = State.DOWN
        self._closed = False
        self._endpoints = catalogue.endpoints
        self._folder = folder or models_folder()
        self._context = min(context, self.model.context or context)
        self._threads = threads
        self._idle_seconds = idle_seconds
        self._command = command
        self._clock = clock
        self._memory = memory
        self._starting = threading.RLock()  # held while a child is begun or ended
        self._counting = threading.Lock()  # held for a moment
        self._calls = 0
        self._last_call = clock()
        self._stops = 0
        self._child: Child | None = None
        self._running: Running | None = None
        self._since = 0.0
        self._deaths = Deaths()
        self._http = httpx.Client(timeout=_ANSWERING, trust_env=False)  # 127.0.0.1 has no proxy

    @property
    def name(self) -> str:
        """The name of its answers, as variants of tasks."""
        return f"prompt:{self.model.name}"

    @property
    def running(self) -> Running | None:
        """The child that answers now, or None. Never waits."""
        child, running = self._child, self._running
        return running if child and not child.ended.is_set() else None

    @property
    def state(self) -> State:
        """What it is doing. Never waits."""
        return State.DOWN if self._doing is State.UP and not self.running else self._doing

    @property
    def address(self) -> Address | None:
        """Where the child listens, or None while there is none."""
        running = self.running
        return running.address if running else None

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While inside, a call is at work: the child is not stopped for idleness."""
        with self._counting:
            self._calls += 1
        try:
            yield
        finally:
            with self._counting:
                self._calls -= 1
                self._last_call = self._clock()

    def start(self, progress: Progress | None = None, tell: Tell | None = None) -> Running:
        """Return when the model answers: at once where it does. Fetches its file when missing.

        Blocks for as long as that takes; others who start it meanwhile wait for the same child.
        `progress` and `tell` are those of `fetch`. Raises Unreachable, with the next step, where
        it cannot be started.
        """
        stops = self._stops
        with self._starting:
            if running := self.running:
                return running
            try:
                self._unless_stopped(stops)
                self._bury()
                self._deaths.refuse(self.name, self._clock())
                if self._command == COMMAND and not find_spec("xllamacpp"):
                    raise Unreachable("The embedded engine needs: pip install 'feilun[embedded]'")
                return self._load(self._fetched(stops, progress, tell), stops)
            except _Stopped as error:
                raise Unreachable(f"{self.name} was stopped before it was ready.") from error
            finally:
                self._doing = State.UP if self.running else State.DOWN

    def rest(self) -> None:
        """Stop the child where nobody has asked for `idle_seconds`."""
        if not self._starting.acquire(blocking=False):
            return  # it is being started: somebody asks
        try:
            with self._counting:
                idle = self._clock() - self._last_call
                if self._calls or idle < self._idle_seconds:
                    return
                self._running = None  # from here on a call starts another
            self._end(_GRACE)
        finally:
            self._starting.release()

    def stop(self, grace: float = _GRACE) -> None:
        """End the child, and a start that is at work. A later `start` begins anew."""
        self._stops += 1
        if child := self._child:  # a load waits for it, with the lock in its hand
            child.end(grace)
        with self._starting:
            self._end(grace)

    def close(self) -> None:
        """End the child for good: nothing starts it again."""
        self._closed = True
        self.stop()
        self._http.close()

    def answer(self, task: Task, input: Json) -> Answer:
        """Ask the model, held to the task's output schema. See `feilun.ports.Engine`."""
        body = chat.request(task, input, self.model.name)
        started = time.perf_counter()
        try:
            with self.busy():
                reply = self._ask(body)
            return chat.answer(task, reply, time.perf_counter() - started, "cpu")
        except EngineError as error:  # the same error, with the names that its reader needs
            error.args = (f"Task {task.task}: {self.name} did not answer: {error}",)
            raise

    def _ask(self, body: dict[str, Json]) -> Json:
        """The reply of the child. Asked once more where it died: nobody has had its answer."""
        reply = self._post(body)
        if reply is None:
            reply = self._post(body)
        if reply is None:
            raise BrokenReply("its process died twice. The next call starts it again")
        if reply.status_code != httpx.codes.OK:
            raise Refused(_refusal(reply), reply.status_code)
        try:
            return reply.json()
        except ValueError as error:
            raise BrokenReply("what it said is no JSON. Ask again") from error

    def _post(self, body: dict[str, Json]) -> httpx.Response | None:
        """What the child says, or None where it died."""
        running, child = self.running or self.start(), self._child
        url = f"http://{running.address.host}:{running.address.port}/v1/chat/completions"
        bearer = {"authorization": f"Bearer {running.key.get_secret_value()}"}
        try:
            return self._http.post(url, json=body, headers=bearer)
        except httpx.TimeoutException as error:
            raise TimedOut(f"it was silent for {_ANSWERING:.0f} s. Ask for less") from error
        except httpx.HTTPError as error:
            if child is None or child.ended.wait(_NOTICED):
                return None
            raise BrokenReply("its process broke off, and lives. Ask again") from error

    def _fetched(self, stops: int, progress: Progress | None, tell: Tell | None) -> Path:
        """The model's file, fetched unless `stop` is called."""

        def steps(done: int, total: int) -> None:
            if progress:
                progress(done, total)
            self._unless_stopped(stops)

        folder = Folder(self._folder)
        if whole := folder.whole(self.model):
            return whole
        self._doing = State.FETCHING
        return fetch(self.model, folder, self._endpoints, progress=steps, tell=tell)

    def _load(self, path: Path, stops: int) -> Running:
        context = self._context * SLOTS
        needed = estimate(path, context, CACHE_MIB)
        refuse_what_has_no_room(self.model.name, needed, self._memory())
        self._doing = State.LOADING
        key = secrets.token_urlsafe(32)
        began = self._clock()
        self._child = child = Child(
            self._command,
            {
                "model": str(path),
                "name": self.model.name,
                "key": key,
                "context": context,
                "slots": SLOTS,
                "threads": self._threads or idle_cores(),
                "cache_mib": CACHE_MIB,
            },
        )
        try:
            self._unless_stopped(stops)  # `stop` may have looked before there was a child
            port = child.port(_LOADING)
        except BrokenReply as error:
            self._end(0)
            if stops == self._stops:
                self._deaths.note(self._clock(), self._clock() - began, str(error))
            raise Unreachable(f"{self.name} could not be loaded: {error}") from error
        except BaseException:  # Ctrl-C, or a stop: no child is left behind
            self._end(0)
            raise
        self._since = self._last_call = self._clock()
        self._running = Running(Address("127.0.0.1", port, base="/v1"), SecretStr(key), child.pid)
        threading.Thread(target=self._watch, args=(child,), daemon=True).start()
        return self._running

    def _bury(self) -> None:
        """Note the death of a child that nobody stopped."""
        if child := self._child:
            self._end(0)
            now = self._clock()
            self._deaths.note(now, now - self._since, child.ending())

    def _end(self, grace: float) -> None:
        """End the child, if there is one. Its lock is held."""
        self._running = None
        if child := self._child:
            child.end(grace)
            child.close()
            self._child = None
        self._doing = State.DOWN

    def _watch(self, child: Child) -> None:
        """Look whether the child is idle, when it could be so at the earliest."""
        while not child.ended.wait(max(1.0, self._idle_seconds + self._last_call - self._clock())):
            self.rest()

    def _unless_stopped(self, stops: int) -> None:
        if self._closed or stops != self._stops:
            raise _Stopped


class _Stopped(Exception):
    """A start found that `stop` was called."""


def _refusal(reply: httpx.Response) -> str:
    """What the child objects to. Its words may repeat the prompt, so only its kind is told."""
    try:
        kind = str(reply.json()["error"]["type"])[:50]
    except (ValueError, KeyError, TypeError):
        kind = "no reason given"
    longer = " Give it a larger context: [embedded] in feilun.toml." if "context" in kind else ""
    return f"it refused with status {reply.status_code} ({kind}).{longer}"
