"""The desk: tasks are answered here, by students at once and by teachers over the relay.

Requests that arrive in one tick of the event loop are put to a student together: alone a
prediction took 400 µs, among 32 of them 41 µs each.
"""

import asyncio
from functools import partial
from time import perf_counter

from feilun.answer import Answerer, Asked, Begun
from feilun.errors import NotFound, TaskError
from feilun.gateway.asides import Asides
from feilun.gateway.config import Capture as Mode
from feilun.gateway.config import Config, Kept
from feilun.gateway.hedging import Lost
from feilun.gateway.legs import leg_to
from feilun.gateway.problem import Problem
from feilun.gateway.relay import Relay
from feilun.gateway.servers import Model, Servers
from feilun.house import House
from feilun.models import chat
from feilun.models.dialects import error_said
from feilun.records import Call, Json, Key, Task
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
        self._asides: dict[str, Asides] = {}

    def follow(self) -> bool:
        """Take over what has changed, and say whether anything has. Blocks; call in a thread."""
        changed = self._house.refresh()
        for name in changed:
            self._answerers[name] = self._house.answerer(name)
        return bool(changed)

    def names(self) -> list[str]:
        """The tasks that are at hand, sorted."""
        return sorted(self._answerers)

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

    def await_word(self, call: Call) -> None:
        """A call of a trial was answered; `beside` is asked for it when its record is made."""
        self._asides.setdefault(call.task, Asides()).await_word(call)

    def beside(self, call: Call) -> Call:
        """A call of a trial with what its other student says. For the capture's thread."""
        answerer, asides = self._answerers.get(call.task), self._asides.get(call.task)
        return call if answerer is None or asides is None else asides.take(answerer, call)

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

    async def answer(self, name: str, asked: Asked, lost: Lost | None = None) -> Call:
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
        models = self._servers.find(self.teacher(name))
        started = perf_counter()
        model, body = await self.ask_teacher(answerer.task, asked.input, models, lost)
        try:
            said = chat.answer(answerer.task, body, round(perf_counter() - started, 6))
            return answerer.by_teacher(begun, said, model.name)
        except TaskError as error:
            raise Problem(502, str(error), code="invalid_output") from error

    async def ask_teacher(
        self, task: Task, input: Json, models: list[Model], lost: Lost | None = None
    ) -> tuple[Model, Json]:
        """A teacher's answer. What a server does not know is left out, and it is asked again."""
        wanted: dict[str, Json] = chat.request(task, input, models[0].name)
        while True:
            leg = partial(leg_to, spoken="chat", request=wanted, raw=None)
            with await self._relay.ask(models, leg, lost=lost) as reached:
                if reached.reply.status == 200:
                    turned = reached.leg.translation
                    answer = await reached.whole(_ANSWER_BYTES)
                    return reached.model, turned.response(answer) if turned else answer
                error, said = await reached.refused()
            milder = chat.milder(wanted, error.status, error_said(said) or "")
            if milder is None:
                raise error
            wanted = milder


def owner(key: Key | None) -> str | None:
    """The name under which a key's calls are kept."""
    return key.key if key else None


def own(call: Call, key: Key | None, *, all: bool) -> Call:
    """A call, if this key may see it. Raises NotFound, as for a call that is not there."""
    if all or key is None or call.key == key.key:
        return call
    raise NotFound(f"No call {call.id!r} of this key is in the store.")
