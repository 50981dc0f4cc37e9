"""Every path of the gateway: who answers it, and what a key must be allowed to do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from feilun.gateway import api, audits, chats, ops, trials
from feilun.records import Scope

Handler = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Route:
    """One operation. `scope` is None where no key is asked for."""

    method: str
    path: str
    answer: Handler
    scope: Scope | None


ROUTES = (
    Route("POST", "/v1/chat/completions", chats.chat, Scope.CALL),
    Route("POST", "/v1/responses", chats.responses, Scope.CALL),
    Route("POST", "/v1/messages", chats.messages, Scope.CALL),
    Route("POST", "/v1/embeddings", chats.embeddings, Scope.CALL),
    Route("GET", "/v1/models", ops.models, Scope.CALL),
    Route("GET", "/v1/tasks", api.list_tasks, Scope.READ),
    Route("PUT", "/v1/tasks/{name}", api.declare, Scope.ADMIN),
    Route("GET", "/v1/tasks/{name}/trial", trials.show_trial, Scope.ADMIN),
    Route("POST", "/v1/tasks/{name}/trial", trials.set_trial, Scope.ADMIN),
    Route("POST", "/v1/tasks/{name}/calls", api.call_task, Scope.CALL),
    Route("GET", "/v1/calls/{id}", api.show_call, Scope.READ),
    Route("POST", "/v1/calls/{id}/feedback", api.give_feedback, Scope.FEEDBACK),
    Route("GET", "/v1/audits", audits.list_audits, Scope.READ),
    Route("POST", "/v1/audits", audits.give_audit, Scope.FEEDBACK),
    Route("GET", "/v1/audits/summary", audits.sum_up, Scope.READ),
    Route("POST", "/v1/audits/skips", audits.skip_audit, Scope.FEEDBACK),
    Route("GET", "/healthz", ops.health, None),
    Route("GET", "/metrics", ops.metrics, None),
    Route("GET", "/openapi.json", ops.openapi, None),
)

_EXACT = {(route.method, route.path): route for route in ROUTES if "{" not in route.path}
_SHAPED = [(route, route.path.split("/")) for route in ROUTES if "{" in route.path]


def find(method: str, path: str) -> tuple[Route, list[str]] | list[str]:
    """The route of a request and what its path names, or the methods that the path has."""
    exact = _EXACT.get((method, path))
    if exact is not None:
        return exact, []
    parts = path.split("/")
    methods = [route.method for route in ROUTES if route.path == path]
    for route, shape in _SHAPED:
        named = _fit(shape, parts)
        if named is None:
            continue
        if route.method == method:
            return route, named
        methods.append(route.method)
    return methods


def _fit(shape: list[str], parts: list[str]) -> list[str] | None:
    if len(shape) != len(parts):
        return None
    named = []
    for one, other in zip(shape, parts, strict=True):
        if one.startswith("{"):
            if not other or len(other) > 200:
                return None
            named.append(other)
        elif one != other:
            return None
    return named
