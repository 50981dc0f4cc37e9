"""Holding a value to a task's JSON Schema. A schema speaks for itself alone: it fetches nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from jsonschema.exceptions import SchemaError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from feilun.errors import TaskError
from feilun.records import Json

Schema = dict[str, Json]

_MOST = 512  # compiled schemas kept: an entry is a few kB
_DATA = frozenset({"enum", "const", "default", "examples"})  # below these stand values, no schemas


@dataclass(frozen=True)
class _Compiled:
    schema: Schema
    validator: Validator


_compiled: dict[tuple[str, str], _Compiled] = {}


def broken_rule(name: str, id: str, part: str, schema: Schema, value: Json) -> str | None:
    """What of a task's schema a value does not hold: its place and the rule; None if it holds.

    The value itself is never told: it belongs to whoever sent it. Raises TaskError where the
    schema cannot be used.
    """
    try:
        error = best_match(_validator(name, id, part, schema).iter_errors(value))
    except Unresolvable as missing:
        raise TaskError(
            f"Task {name}: its {part} schema refers to {missing.ref!r}, which is not in it. "
            "Write the definition under $defs."
        ) from missing
    except RecursionError:
        return f"the {part} is nested too deeply"
    if error is None:
        return None
    place = "".join(f"/{step}" for step in error.absolute_path)
    rule = f"{error.validator}: {error.validator_value!r}"
    return f"the {part}{place and ' at ' + place} breaks {rule[:200]}"


def _validator(name: str, id: str, part: str, schema: Schema) -> Validator:
    found = _compiled.get((id, part))
    # A copy of a task may keep its id and change its schema, so the schema has a say too.
    if found is None or (found.schema is not schema and found.schema != schema):
        found = _Compiled(schema, compile_schema(name, part, schema))
        if len(_compiled) >= _MOST:
            _compiled.clear()
        _compiled[id, part] = found
    return found.validator


def compile_schema(name: str, part: str, schema: Schema) -> Validator:
    """A validator of a task's schema. Raises TaskError for a schema that is none or points away."""
    if away := next((ref for ref in _references(schema) if not ref.startswith("#")), None):
        raise TaskError(
            f"Task {name}: its {part} schema refers to {away!r}. Nothing is fetched: copy the "
            "definition under $defs and refer to '#/$defs/...'."
        )
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(step) for step in error.absolute_path) or "its top"
        raise TaskError(
            f"Task {name}: its {part} schema is no JSON Schema at {place}: {error.message}."
        ) from error
    except RecursionError as error:
        raise TaskError(f"Task {name}: its {part} schema is nested too deeply.") from error
    return kind(schema, registry=Registry())


def _references(schema: Json) -> Iterator[str]:
    """Every `$ref` below a schema, without recursion: schemas come from people and from traffic."""
    rest = [schema]
    while rest:
        node = rest.pop()
        if isinstance(node, list):
            rest.extend(node)
        elif isinstance(node, dict):
            yield from (
                ref
                for key in ("$ref", "$dynamicRef", "$recursiveRef")
                if isinstance(ref := node.get(key), str)
            )
            rest.extend(value for key, value in node.items() if key not in _DATA)
