"""The OpenAPI document of the gateway. The vendors' bodies are theirs; ours are spelled out."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from pydantic import BaseModel

from feilun.gateway import bodies
from feilun.records import Audit, Call, Feedback, Json, Skip, Task

_MODELS: tuple[type[BaseModel], ...] = (
    bodies.CallBody, bodies.CorrectionBody, bodies.RatingBody, bodies.OutcomeBody,
    bodies.AuditBody, bodies.SkipBody, bodies.TaskBody, bodies.CallSaid,
    bodies.ShadowBody, bodies.CanaryBody, bodies.StopBody,
    Call, Feedback, Audit, Skip, Task,
)  # fmt: skip


@cache
def document() -> Json:
    """The whole document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Feilun", "version": _version()},
        "security": [{"key": []}],
        "paths": {
            "/v1/chat/completions": {"post": _vendor("chat", "messages", "OpenAI's chat")},
            "/v1/responses": {"post": _vendor("responses", "input", "OpenAI's responses")},
            "/v1/messages": {"post": _vendor("messages", "messages", "Anthropic's messages")},
            "/v1/embeddings": {"post": _vendor("embeddings", "input", "OpenAI's embeddings")},
            "/v1/models": {"get": _does("models", "All models, aliases and tasks", 200, _ANY)},
            "/v1/tasks": {"get": _does("tasks", "All tasks", 200, _ANY)},
            "/v1/tasks/{name}": {
                "parameters": [_in_path("name")],
                "put": _does("declare", "Declare a task", 200, _ANY, _ref("TaskBody")),
            },
            "/v1/tasks/{name}/calls": {
                "parameters": [_in_path("name")],
                "post": _does("callTask", "Ask a task", 200, _ref("CallSaid"), _ref("CallBody")),
            },
            "/v1/tasks/{name}/trial": {
                "parameters": [_in_path("name")],
                "get": _does("trial", "What the trial of a task has shown", 200, _ANY),
                "post": _does("setTrial", "Start or end a trial", 201, _ANY, _TRIAL),
            },
            "/v1/calls/{id}": {
                "parameters": [_in_path("id")],
                "get": _does("call", "One call", 200, _ANY),
            },
            "/v1/calls/{id}/feedback": {
                "parameters": [_in_path("id")],
                "post": _does("feedback", "Say what of a call is right", 201, _ANY, _FEEDBACK),
            },
            "/v1/audits": {
                "parameters": [],
                "get": {
                    **_does(
                        "audits",
                        "Drawn calls that wait for a person, the next one first",
                        200,
                        _ANY,
                    ),
                    "parameters": [
                        _in_query("task", {"type": "string"}),
                        _in_query("limit", _COUNT),
                        _in_query("person", _NAME),
                    ],
                },
                "post": _does("audit", "Judge a drawn call", 201, _ANY, _ref("AuditBody")),
            },
            "/v1/audits/summary": {
                "get": _does("auditSummary", "How the audits of each task stand", 200, _ANY),
            },
            "/v1/audits/skips": {
                "post": _does("skip", "Say that a person cannot tell", 201, _ANY, _ref("SkipBody")),
            },
            "/healthz": {"get": _open("health", "Whether all is well", (200, 503))},
            "/metrics": {"get": _open("metrics", "Figures for Prometheus", (200,), "text/plain")},
            "/openapi.json": {"get": _open("openapi", "This document", (200,))},
        },
        "components": {
            "schemas": {**_schemas(), "Error": _ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _version() -> str:
    try:
        return version("feilun")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"


_ANY: Json = {"type": "object"}
_COUNT: Json = {"type": "integer", "minimum": 1, "maximum": 1000}
_NAME: Json = {"type": "string", "minLength": 1, "maxLength": 100}
_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": ["string", "null"]},
                "param": {"type": ["string", "null"]},
            },
        }
    },
}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_FEEDBACK: Json = {
    "oneOf": [_ref("CorrectionBody"), _ref("RatingBody"), _ref("OutcomeBody")],
}


_TRIAL: Json = {"oneOf": [_ref("ShadowBody"), _ref("CanaryBody"), _ref("StopBody")]}


def _schemas() -> dict[str, Json]:
    found: dict[str, Json] = {}
    for model in _MODELS:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    return found


def _json(schema: Json, kind: str = "application/json") -> Json:
    return {kind: {"schema": schema}}


def _does(id: str, summary: str, status: int, gives: Json, takes: Json = None) -> dict[str, Json]:
    told: dict[str, Json] = {
        "operationId": id,
        "summary": summary,
        "responses": {
            str(status): {"description": summary, "content": _json(gives)},
            "4XX": {
                "description": "What was wrong and what to do",
                "content": _json(_ref("Error")),
            },
            "5XX": {"description": "An engine or the store", "content": _json(_ref("Error"))},
        },
    }
    if takes is not None:
        told["requestBody"] = {"required": True, "content": _json(takes)}
    return told


def _vendor(id: str, field: str, whose: str) -> dict[str, Json]:
    takes = {
        "type": "object",
        "required": ["model", field],
        "properties": {
            "model": {"type": "string", "description": "A model, an alias, or task/NAME"},
            "stream": {"type": "boolean"},
        },
    }
    told = _does(id, f"In {whose} dialect", 200, _ANY, takes)
    told["responses"]["200"]["content"] |= _json({"type": "string"}, "text/event-stream")
    return told


def _open(
    id: str, summary: str, statuses: tuple[int, ...], kind: str = "application/json"
) -> dict[str, Json]:
    schema: Json = {"type": "string"} if kind == "text/plain" else _ANY
    answers = {str(s): {"description": summary, "content": _json(schema, kind)} for s in statuses}
    return {"operationId": id, "summary": summary, "security": [], "responses": answers}


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": schema}
