"""Outputs of an adopted task in the words of its client, and back."""

import json

from feilun.discovery.answers import reading
from feilun.discovery.look import parsed, seen
from feilun.records import Adoption, Json, stable_json


def render(adoption: Adoption, output: Json) -> str:
    """What the client gets for an output. `read` gives the output back."""
    shown = adoption.labels.get(output, output) if isinstance(output, str) else output
    if adoption.answer == "text":
        return shown if isinstance(shown, str) else _json(shown)
    return _json({adoption.field: shown} if adoption.answer == "field" else shown)


def read(adoption: Adoption, content: str) -> Json:
    """The output that a model's answer says, or None: the task has no such output.

    A label is known in any dress, as `reading` takes it off; a JSON value may stand in a
    fence. Whether the value keeps the task's schema is for the task to say.
    """
    if adoption.labels:
        return _label(adoption, content)
    if adoption.answer == "text":
        return content
    try:
        value = parsed(content)
    except ValueError:
        return None
    if adoption.answer == "json":
        return value
    alone = isinstance(value, dict) and value.keys() == {adoption.field}
    return value[adoption.field] if alone else None


def _label(adoption: Adoption, content: str) -> str | None:
    found = seen(content)
    if found.shape == adoption.answer and found.field == adoption.field:
        value = found.value.strip() if found.shape == "text" else found.value
        wanted = stable_json(value)
        for label, shown in adoption.labels.items():
            if stable_json(shown) == wanted:
                return label
    form = reading(content).form
    return next((label for label in adoption.labels if reading(label).form == form), None)


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
