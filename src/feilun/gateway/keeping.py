"""What is kept of a request: all of it, a hash, or its words without what names people."""

import re

from feilun.gateway.config import Kept
from feilun.records import Json, digest, stable_json

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
