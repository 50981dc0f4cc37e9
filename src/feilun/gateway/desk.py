"""The desk: tasks are answered here, by students at once and by teachers over the relay.

Requests that arrive in one tick of the event loop are put to a student together: alone a
prediction took 400 µs, among 32 of them 41 µs each.
"""

import asyncio
from time import perf_counter

from feilun.answer import Answerer, Asked, Begun
from feilun.errors import NotFound, TaskError
from feilun.gateway.config import Capture as Mode
from feilun.gateway.config import Config, Kept
from feilun.gateway.problem import Problem
from feilun.gateway.relay import Relay
from feilun.gateway.servers import Servers
from feilun.house import House
from feilun.models import chat
from feilun.records import Call, Json, Key
from feilun.tasks import check_input

_ANSWER_BYTES = 16 << 20

_Waiting = tuple[Asked, "asyncio.Future[Begun]"]


class Desk:
    """Answers tasks. `follow` must be called after each refresh of the house."""

    def __init__(self, house: House, config: Config, servers: Servers, relay: Relay) -> None:
        self._house = house
        self._config = config
        self._servers = servers
        self._relay = relay
        self._answerers: dict[str, Answerer] = {}
        self._waiting: dict[str, list[_Waiting]] = {}

    def follow(self) -> None:
        """Take over the answerers of the tasks that have changed. Blocks; call in a thread."""
        for name in self._house.refresh():
            self._answerers[name] = self._house.answerer(name)

    def mode(self, task: str) -> Mode:
        """How calls of a task are captured."""
        found = self._config.tasks.get(task)
        return (found and found.capture) or self._config.capture.mode

    def kept(self, task: str) -> Kept:
        """What is kept of the inputs of a task's calls."""
        found = self._config.tasks.get(task)
        return (found and found.prompts) or self._config.capture.prompts

    def teacher(self, task: str) -> str:
        """The model or alias that answers a task where no student does."""
        found = self._config.tasks.get(task)
        return (found and found.teacher) or self._config.teacher

    async def answerer(self, name: str) -> Answerer:
        """Who answers a task. Raises NotFound with the tasks there are."""
        found = self._answerers.get(name)
        if found is None:
            found = await asyncio.to_thread(self._house.answerer, name)
            self._answerers[name] = found
        return found

    async def begin(self, answerer: Answerer, asked: Asked) -> Begun:
        """Ask the student of a task, together with whoever asks it in this tick."""
        name = answerer.task.task
        done: asyncio.Future[Begun] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(name, [])
        if not waiting:
            asyncio.get_running_loop().call_soon(self._ask_student, answerer)
        waiting.append((asked, done))
        return await done

    def _ask_student(self, answerer: Answerer) -> None:
        name = answerer.task.task
        waiting = self._waiting.pop(name)
        found = self._config.tasks.get(name)
        rate = self._config.audit_rate
        if found is not None and found.audit_rate is not None:
            rate = found.audit_rate
        try:
            begun = answerer.begin_many([asked for asked, _ in waiting], audit_rate=rate)
        except Exception as error:  # belongs to those who wait
            for _, done in waiting:
                if not done.done():
                    done.set_exception(error)
            return
        for (_, done), one in zip(waiting, begun, strict=True):
            if not done.done():  # whoever left has cancelled his
                done.set_result(one)

    async def answer(self, name: str, asked: Asked) -> Call:
        """Answer one input of a task.

        Raises NotFound for no such task, Problem for an input that the task does not take
        and for a teacher's answer that it does not, EngineError where nobody answers.
        """
        answerer = await self.answerer(name)
        wrong = check_input(answerer.task, asked.input)
        if wrong:
            raise Problem(422, f"Task {name}: {wrong}", code="invalid_input", param="input")
        begun = await self.begin(answerer, asked)
        if begun.why is None:
            return answerer.by_student(begun)
        return await self._ask_teacher(answerer, begun)

    async def _ask_teacher(self, answerer: Answerer, begun: Begun) -> Call:
        task = answerer.task
        models = self._servers.find(self.teacher(task.task))
        started = perf_counter()
        asked = await self._relay.ask(
            models, "chat", lambda model: chat.request(task, begun.asked.input, model.remote)
        )
        with asked:
            body = await asked.whole(_ANSWER_BYTES)
        seconds = round(perf_counter() - started, 6)
        try:
            said = chat.answer(task, body, seconds)
            return answerer.by_teacher(begun, said, asked.model.name)
        except TaskError as error:
            raise Problem(502, str(error), code="invalid_output") from error


def owner(key: Key | None) -> str | None:
    """The name under which a key's calls are kept."""
    return key.key if key else None


def own(call: Call, key: Key | None, *, all: bool) -> Call:
    """A call, if this key may see it. Raises NotFound, as for a call that is not there."""
    if all or key is None or call.key == key.key:
        return call
    raise NotFound(f"No call {call.id!r} of this key is in the store.")


def without_prompt(call: Call, kept: Kept, digest: str) -> dict[str, Json]:
    """What is kept of a call in place of its input, by the task's wish."""
    return {"kept": kept, "input": {"sha256": digest} if kept == "hashed" else None}
