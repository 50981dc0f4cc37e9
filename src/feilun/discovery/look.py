"""How the answers of a task look to its client: as text, as JSON, or in one field of an object."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from feilun.discovery.answers import reading, unfenced
from feilun.records import Json, stable_json

Shape = Literal["text", "json", "field"]

_MOST = 2000  # answers from which a schema is made
_FIELD = 200  # characters of a name
_PROPERTIES = 200  # names in a schema: more, and they are content


class Seen(NamedTuple):
    """One answer: its shape, the name of its one field, and its value without the shape."""

    shape: Shape
    field: str | None
    value: Json


@dataclass(frozen=True)
class Look:
    """The usual shape of answers, and the share of them that have it."""

    shape: Shape
    field: str | None
    share: float


def seen(content: str) -> Seen:
    """An answer as its client sees it. Bare words, numbers and broken JSON are text."""
    if unfenced(content)[:1] not in ("{", "[", '"'):
        return Seen("text", None, content)
    try:
        value = parsed(content)
    except ValueError:
        return Seen("text", None, content)
    if isinstance(value, dict) and len(value) == 1:
        (field, only), *_ = value.items()
        if not isinstance(only, dict | list) and len(field) <= _FIELD:
            return Seen("field", field, only)
    return Seen("json", None, value)


def parsed(content: str) -> Json:
    """The JSON value that an answer is, out of its fence. Raises ValueError where it is none."""
    try:
        value = json.loads(unfenced(content))
        stable_json(value)  # NaN, and half a surrogate, are no JSON that can be kept
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def look(answers: Sequence[Seen]) -> Look:
    """What most answers look like."""
    (shape, field), times = Counter((a.shape, a.field) for a in answers).most_common(1)[0]
    return Look(shape, field, times / len(answers))


def surfaces(
    answers: Sequence[tuple[Seen, str]], usual: Look, labels: Mapping[str, str]
) -> dict[str, Json]:
    """Each label as the client knows it: its most frequent value among answers of the usual look.

    `answers` come with their text; `labels` maps the form of an answer to its label.
    """
    said: dict[str, Counter[bytes]] = defaultdict(Counter)
    for one, content in answers:
        label = labels.get(reading(content).form)
        if label is not None and (one.shape, one.field) == (usual.shape, usual.field):
            value = one.value.strip() if usual.shape == "text" else one.value
            said[label][stable_json(value)] += 1
    usually = {label: json.loads(counted.most_common(1)[0][0]) for label, counted in said.items()}
    return {label: usually.get(label, label) for label in sorted(labels.values())}


def schema(values: Sequence[Json]) -> dict[str, Json] | None:
    """The JSON Schema that values have in common. None: genson is missing."""
    try:
        from genson import SchemaBuilder
    except ImportError:
        return None
    builder = SchemaBuilder(schema_uri=None)
    for value in values[:_MOST]:
        builder.add_object(value)
    made: dict[str, Json] = builder.to_schema()
    return made if _names(made) <= _PROPERTIES else {"type": made.get("type", "object")}


def _names(made: Json) -> int:
    """How many properties a schema names, on all its levels."""
    count, rest = 0, [made]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            properties = node.get("properties")
            count += len(properties) if isinstance(properties, dict) else 0
            rest += node.values()
        elif isinstance(node, list):
            rest += node
    return count
