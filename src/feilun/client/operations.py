"""What a client can ask for. Each says how it reads over HTTP, and how a house does it.

So there is one meaning and two ways to it, and neither way knows the operations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from feilun.ledger import cost_of
from feilun.records import Audit, Call, Feedback, Json, Money, R, Task
from feilun.tasks import check_tenant

if TYPE_CHECKING:
    from feilun.house import House

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answered call as it comes. What a newer server may add is not read."""

    call: Annotated[str, Field(validation_alias="id")]
    task: str
    output: Json
    variant: str
    by: Literal["teacher", "student"]
    why_teacher: str | None = None
    confidence: float | None = None
    release: str | None = None
    certificate: str | None = None
    seconds: float = 0.0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: Money | None = None


_SAID = TypeAdapter(Said)


class Due(BaseModel):
    """A call that was drawn for an audit and waits for a person to judge it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    call: str
    task: str
    input: Json
    output: Json
    rate: float


class _Data(BaseModel):
    """A list, as the API wraps it."""

    data: list[dict[str, Json]]


@dataclass(frozen=True)
class Request:
    """One HTTP request, without a server and a key."""

    method: str
    path: str
    body: Json = None
    query: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Operation(Protocol[T_co]):
    """One thing to ask for.

    `read` raises ValueError for a body that is not the answer to `request`; `run` raises
    what the house raises.
    """

    def request(self) -> Request:
        """How a server is asked."""

    def read(self, body: bytes) -> T_co:
        """What the server's answer says."""

    def run(self, house: "House") -> T_co:
        """The same, done by a house."""


@dataclass(frozen=True)
class Ask:
    """Answer one input of a task."""

    task: str
    input: Json
    parent: str | None = None
    tenant: str | None = None

    def request(self) -> Request:
        """A call of the task."""
        body = {"input": self.input, "parent": self.parent}
        headers = {} if self.tenant is None else {"x-feilun-tenant": check_tenant(self.tenant)}
        return Request("POST", f"/v1/tasks/{_in_path(self.task)}/calls", body, headers=headers)

    def read(self, body: bytes) -> Said:
        """The answered call."""
        return _SAID.validate_json(body)

    def run(self, house: "House") -> Said:
        """Durably."""
        call = house.answer(self.task, self.input, parent=self.parent, tenant=self.tenant)
        facts = call.model_dump(include=set(Said.__annotations__))
        proof = house.proof(call)
        return Said(call=call.id, certificate=proof, cost=cost_of(call, house.book), **facts)


@dataclass(frozen=True)
class Tell:
    """Say something of a call. `value` is the right output, the reason, or the number."""

    call: str
    said: Literal["correction", "accepted", "rejected", "outcome"]
    value: Json = None

    def request(self) -> Request:
        """Feedback on the call."""
        body = {"said": self.said}
        match self.said:
            case "correction":
                body["output"] = self.value
            case "rejected" if self.value is not None:
                body["reason"] = self.value
            case "outcome":
                body["value"] = self.value
        return Request("POST", f"/v1/calls/{_in_path(self.call)}/feedback", body)

    def read(self, body: bytes) -> Feedback:
        """The feedback as it is stored."""
        return _record(Feedback, body)

    def run(self, house: "House") -> Feedback:
        """By the house's own words for it."""
        call = house.store.get(Call, self.call)
        match self.said:
            case "correction":
                return house.correct(call, self.value)
            case "outcome":
                return house.outcome(call, self.value)
            case _:
                return house.rate(call, accepted=self.said == "accepted", reason=self.value)


@dataclass(frozen=True)
class Judge:
    """Audit a call that was drawn: what is the right output?"""

    call: str
    output: Json

    def request(self) -> Request:
        """An audit."""
        return Request("POST", "/v1/audits", {"call": self.call, "output": self.output})

    def read(self, body: bytes) -> Audit:
        """The audit as it is stored."""
        return _record(Audit, body)

    def run(self, house: "House") -> Audit:
        """By a person, as all audits that come from outside."""
        return house.auditing.audit(house.store.get(Call, self.call), self.output)


@dataclass(frozen=True)
class ListDue:
    """The calls that wait for an audit, the oldest first."""

    task: str | None
    limit: int

    def request(self) -> Request:
        """The list of audits to make."""
        query: dict[str, str | int] = {"limit": self.limit}
        if self.task is not None:
            query["task"] = self.task
        return Request("GET", "/v1/audits", query=query)

    def read(self, body: bytes) -> list[Due]:
        """The calls."""
        return [Due.model_validate(row) for row in _Data.model_validate_json(body).data]

    def run(self, house: "House") -> list[Due]:
        """At most `limit` of them."""
        if self.task is not None:
            house.task(self.task)
        return [_due(call) for call in islice(house.auditing.to_audit(self.task), self.limit)]


@dataclass(frozen=True)
class Get:
    """A call as it is stored."""

    call: str

    def request(self) -> Request:
        """By its id."""
        return Request("GET", f"/v1/calls/{_in_path(self.call)}")

    def read(self, body: bytes) -> Call:
        """The record."""
        return _record(Call, body)

    def run(self, house: "House") -> Call:
        """From the store."""
        return house.store.get(Call, self.call)


@dataclass(frozen=True)
class ListTasks:
    """All tasks, each as it was last declared."""

    def request(self) -> Request:
        """The list of tasks."""
        return Request("GET", "/v1/tasks")

    def read(self, body: bytes) -> list[Task]:
        """The records."""
        return [_known(Task, row) for row in _Data.model_validate_json(body).data]

    def run(self, house: "House") -> list[Task]:
        """In the order of their first declaration."""
        return [house.task(name) for name in house.tasks()]


@dataclass(frozen=True)
class Declare:
    """Make a task known, or change its declaration."""

    task: Task

    def request(self) -> Request:
        """The declaration, without what the server's house gives it."""
        fields = {"instructions", "input_schema", "output_schema", "red_line", "shots"}
        body = self.task.model_dump(mode="json", include=fields)
        return Request("PUT", f"/v1/tasks/{_in_path(self.task.task)}", body)

    def read(self, body: bytes) -> None:
        """That the server took it is all there is to know."""

    def run(self, house: "House") -> None:
        """As at any door."""
        house.declare(self.task)


def _due(call: Call) -> Due:
    return Due(
        call=call.id, task=call.task, input=call.input, output=call.output, rate=call.audit_rate
    )


_ROW: TypeAdapter[dict[str, Json]] = TypeAdapter(dict[str, Json])


def _record(kind: type[R], body: bytes) -> R:
    return _known(kind, _ROW.validate_json(body))


def _known(kind: type[R], row: dict[str, Json]) -> R:
    """A record of a server that may be newer than this client, and know more fields."""
    return kind.model_validate({name: row[name] for name in row if name in kind.model_fields})


def _in_path(name: str) -> str:
    return quote(name, safe="")
