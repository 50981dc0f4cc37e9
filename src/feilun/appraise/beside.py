"""What stands beside a call in a log: gold, the task's name, time, tokens and cost."""

from collections.abc import Iterator, Mapping, Sequence

from feilun.appraise import fields
from feilun.appraise.fields import Choice
from feilun.appraise.said import answer, opened
from feilun.records import Json

_ENVELOPES = (
    "request",
    "body",
    "input",
    "inputs",
    "kwargs",
    "request_body",
    "requestBody",
    "params",
)


def gold_of(body: Mapping[str, Json]) -> Json:
    """What people judged right."""
    for source in (body, body.get("metadata")):
        if isinstance(source, dict) and (found := fields.get(source, "gold")) is not None:
            return found
    return None


def task_of(body: Mapping[str, Json], choice: Choice) -> str | None:
    """The name that the log gives the call's task."""
    if choice.task:
        return plain_text(named(body, choice.task))
    for source in (body, body.get("metadata"), *sources(body)):
        if not isinstance(source, dict):
            continue
        for inner in (source, source.get("metadata")):
            found = fields.get(inner, "task") if isinstance(inner, dict) else None
            if isinstance(found, str | int):
                return str(found)
    return None


def facts(body: Mapping[str, Json]) -> dict[str, Json]:
    """When the call was, what it took and what it cost, as keywords of `Row`."""
    response = opened(body.get("response"))
    inner = opened(response.get("body")) if isinstance(response, dict) else None
    places = [p for p in (body, body.get("metadata"), response, inner) if isinstance(p, dict)]
    usages = [p["usage"] for p in places if isinstance(p.get("usage"), dict)]
    counted = [*usages, *places]
    details = [
        u.get("prompt_tokens_details") or u.get("input_tokens_details")
        for u in usages
        if isinstance(u, dict)
    ]
    cached = [*(d for d in details if isinstance(d, dict)), *counted]
    usd = _first(places, "cost_usd")
    return {
        "at": next((at for p in places if (at := fields.moment(fields.get(p, "time")))), None),
        "tokens_in": fields.count(_first(counted, "tokens_in")),
        "tokens_cached": fields.count(_first(cached, "tokens_cached")),
        "tokens_out": fields.count(_first(counted, "tokens_out")),
        "cost": fields.amount(usd if usd is not None else _first(places, "cost")),
        "currency": "USD" if usd is not None else None,
    }


def _first(places: Sequence[Mapping[str, Json]], role: str) -> Json:
    return next((v for p in places if (v := fields.get(p, role)) is not None), None)


def sources(body: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """The object itself and the envelopes in which a request may lie, two deep."""
    yield body
    for key in _ENVELOPES:
        inner = opened(body.get(key))
        if isinstance(inner, dict):
            yield inner
            deeper = opened(inner.get("body"))
            if isinstance(deeper, dict):
                yield deeper


def named(body: Mapping[str, Json], path: str) -> Json:
    """The value at a name, or at a path of names with dots between them."""
    if path in body:
        return body[path]
    value: Json = body
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def plain_text(value: Json) -> str | None:
    """The text of a value, or None where there is none."""
    if value is None:
        return None
    text = answer(value).text.strip()
    return text or None
