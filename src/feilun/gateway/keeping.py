"""What is kept of a request: all of it, a hash, or its words without what names people."""

import re

from feilun.gateway.config import Kept
from feilun.records import Call, Json, digest, stable_json

_MASKS = (
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"), "[email]"),
    (re.compile(r"(?<![\w])\+?\d(?:[ -]?\d){6,30}"), "[number]"),
    (re.compile(r"\b(?:sk|fl_live|ghp|xox[bp])[-_][\w-]{8,200}"), "[secret]"),
)


def keep_input(value: Json, kept: Kept) -> Json:
    """An input in the form in which a task wants it kept."""
    if kept == "whole":
        return value
    if kept == "hashed":
        return {"sha256": digest(stable_json(value))}
    return _redacted(value)


def keep_output(value: Json, kept: Kept) -> Json:
    """An output likewise. Hashing keeps it: it is the answer, and what learning is about."""
    return _redacted(value) if kept == "redacted" else value


def keep_call(call: Call, kept: Kept) -> Call:
    """A task's call in the form in which the task wants it kept."""
    if kept == "whole":
        return call
    changed = {"input": keep_input(call.input, kept), "output": keep_output(call.output, kept)}
    if call.aside is not None:
        output = keep_output(call.aside.output, kept)
        changed["aside"] = call.aside.model_copy(update={"output": output})
    return call.model_copy(update={**changed, "kept": kept})


def _redacted(value: Json) -> Json:
    match value:
        case str():
            for mask, name in _MASKS:
                value = mask.sub(name, value)
            return value
        case dict():
            return {key: _redacted(inner) for key, inner in value.items()}
        case list():
            return [_redacted(inner) for inner in value]
        case _:
            return value
