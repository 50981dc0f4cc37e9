"""Reading bodies: JSON with a bound on its depth, and what every request to a model must have."""

import msgspec

from feilun.gateway.http import Request
from feilun.gateway.problem import Problem
from feilun.models.dialects import Client
from feilun.records import Json
from feilun.tasks import check_tenant

# Fields by which clients of other gateways choose where a request goes. Ours choose a model.
_ROUTING = frozenset(
    {"api_base", "base_url", "api_key", "api_version", "custom_llm_provider", "api_type",
     "endpoint", "organization", "extra_headers", "mock_response", "fallbacks"}
)  # fmt: skip

_DEEPEST = 128  # levels of a body: what is much deeper the store could not read back


def parse_json(raw: bytes) -> dict[str, Json]:
    """A body as a JSON object. Raises Problem with the place of what is wrong."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        said = (
            "is nested too deeply" if isinstance(error, RecursionError) else f"is no JSON ({error})"
        )
        raise Problem(400, f"The body {said}. Send a JSON object in UTF-8.") from error
    if not isinstance(body, dict):
        raise Problem(400, "The body is no JSON object. Send one, with a model in it.")
    if raw.count(b"[") + raw.count(b"{") > _DEEPEST and _is_deeper(body, _DEEPEST):
        raise Problem(400, f"The body is nested deeper than {_DEEPEST} levels. Send a flatter one.")
    return body


def parse_request(raw: bytes) -> dict[str, Json]:
    """A body with a model in it. Raises Problem with what is wrong."""
    body = parse_json(raw)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Problem(400, "Name a model: a string that is not empty.", param="model")
    if not isinstance(body.get("stream"), bool | None):
        raise Problem(400, "stream is true or false.", param="stream")
    if not isinstance(body.get("stream_options"), dict | None):
        raise Problem(400, "stream_options is an object.", param="stream_options")
    if routing := _ROUTING & body.keys():
        name = min(routing)
        raise Problem(
            400,
            f"{name} is not taken from a request: where models are is said in feilun.toml. "
            "Leave it out.",
            param=name,
        )
    return body


def parse_chat(raw: bytes, spoken: Client) -> dict[str, Json]:
    """A body with a conversation in it, in a client's dialect. Raises Problem likewise."""
    body = parse_request(raw)
    name = "input" if spoken == "responses" else "messages"
    said = body.get(name)
    if not isinstance(said, list | str):
        raise Problem(400, f"{name} is missing, or is no list of messages.", param=name)
    if spoken != "responses" and not all(isinstance(each, dict) for each in said):
        raise Problem(400, "messages holds something that is no object.", param="messages")
    return body


def tenant_of(request: Request) -> str | None:
    """Whom a request serves, if it says so. Raises Problem, and TaskError for no name."""
    raw = request.header(b"x-feilun-tenant")
    if raw is None:
        return None
    try:
        return check_tenant(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Problem(400, "x-feilun-tenant is not text in UTF-8.") from error


def _is_deeper(value: Json, levels: int) -> bool:
    """Whether lists and objects stand in one another more than so many times."""
    level = [value]
    for _ in range(levels + 1):
        holders = [each.values() if isinstance(each, dict) else each for each in level]
        level = [v for held in holders for v in held if isinstance(v, dict | list)]
        if not level:
            return False
    return True
