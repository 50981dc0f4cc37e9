"""`Client`: tasks as functions that return when they have answered."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from pydantic import TypeAdapter

from feilun.client import settings
from feilun.client.answered import Answered
from feilun.client.in_process import InProcess
from feilun.client.operations import (
    Ask,
    Declare,
    Due,
    Get,
    Judge,
    ListDue,
    ListTasks,
    Operation,
    Tell,
)
from feilun.client.typed import Typed, What, as_json
from feilun.ports import Engine
from feilun.records import Audit, Call, Feedback, Json, Task
from feilun.tasks import TypedTask

if TYPE_CHECKING:
    import httpx

    from feilun.client.over_http import Http
    from feilun.house import House

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)


class Asking(Generic[In_contra, Out]):
    """A task, ready to be asked."""

    def __init__(self, client: "Client", typed: Typed[Out]) -> None:
        self._client = client
        self._typed = typed

    def __call__(
        self, input: In_contra, *, parent: str | None = None, tenant: str | None = None
    ) -> Answered[Out]:
        """Answer one input; `parent` is the id of the call that it is a part of, and `tenant`
        names who is served, in up to 200 characters.

        Raises TaskError for an input or an output that breaks the schema, NotFound for no
        such task, AccessError, and EngineError where no model answers.
        """
        name = self._typed.name
        said = self._client.do(Ask(name, as_json(f"Task {name}", input), parent, tenant))
        output = self._typed.read(said.output)
        return Answered(**{**vars(said), "output": output}, client=self._client)


class Client:
    """Asks tasks, and says what their answers were worth. Safe to use from any thread.

    On a server: its `url` and a `key`, else FEILUN_URL and FEILUN_KEY, else the server on
    this machine. In this process: the folder or database of a `store` with its `teachers`,
    or a `house` that is open already.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout: float = 120.0,
        http: "httpx.Client | None" = None,
        store: str | Path | None = None,
        teachers: Mapping[str, Engine] | None = None,
        house: "House | None" = None,
    ) -> None:
        settings.one_way(url=url, store=store, house=house)
        self._way: InProcess | Http
        if house is not None:
            self._way = InProcess(house, lent=True)
        elif store is not None:
            self._way = InProcess.on(store, teachers)
        else:
            self._way = _to_server(url, key, timeout, http)

    @overload
    def task(self, what: TypedTask[In, Out]) -> Asking[In, Out]: ...

    @overload
    def task(self, what: Task | str) -> Asking[Json, Json]: ...

    @overload
    def task(
        self, what: Task | str, returns: type[Out] | TypeAdapter[Out]
    ) -> Asking[Json, Out]: ...

    @overload
    def task(self, what: Callable[[In], Out]) -> Asking[In, Out]: ...

    def task(
        self, what: What[Any, Any], returns: type[Any] | TypeAdapter[Any] | None = None
    ) -> Asking[Any, Any]:
        """A task as a function: of its declaration, of a function of its name, or by name.

        A declared function, or `returns`, gives outputs a type; otherwise they are JSON.
        """
        return Asking(self, Typed.of(what, returns))

    def declare(self, task: Task) -> None:
        """Make a task known, or change its declaration. Needs the scope admin."""
        self.do(Declare(task))

    def tasks(self) -> list[Task]:
        """All tasks, each as it was last declared."""
        return self.do(ListTasks())

    def call(self, id: str) -> Call:
        """A call as it is stored."""
        return self.do(Get(id))

    def correct(self, call: str, right: object) -> Feedback:
        """Say what the right output of a call is."""
        return self.do(Tell(call, "correction", as_json(f"Call {call}", right)))

    def accept(self, call: str) -> Feedback:
        """Say that the output of a call is right."""
        return self.do(Tell(call, "accepted"))

    def reject(self, call: str, reason: str | None = None) -> Feedback:
        """Say that the output of a call is wrong, and why."""
        return self.do(Tell(call, "rejected", as_json(f"Call {call}", reason)))

    def outcome(self, call: str, value: float) -> Feedback:
        """Say what came of a call, in a number of your own."""
        return self.do(Tell(call, "outcome", as_json(f"Call {call}", value)))

    def audits(self, task: str | None = None, *, limit: int = 100) -> list[Due]:
        """The calls that were drawn for an audit and wait for one, the oldest first."""
        return self.do(ListDue(task, limit))

    def audit(self, call: str, right: object) -> Audit:
        """Judge a drawn call: what is the right output? Raises TaskError for one not drawn."""
        return self.do(Judge(call, as_json(f"Call {call}", right)))

    def do(self, operation: Operation[T]) -> T:
        """Do one operation, by the way that this client takes."""
        return self._way.do(operation)

    def close(self) -> None:
        """Close what this client has opened."""
        self._way.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _to_server(
    url: str | None, key: str | None, timeout: float, http: "httpx.Client | None"
) -> "Http":
    server = settings.server(url, key, timeout)
    from feilun.client.over_http import Http  # a client in process needs no httpx

    return Http(server, http)
