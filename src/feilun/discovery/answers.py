"""Answers as labels: what is the same answer in another dress, and which sets are closed."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from feilun.records import Json

Kind = Literal["labels", "fields", "free_text", "tools", "media", "too_varied"]

_REMEMBERED = 1000  # characters: what is read often is short
_LABEL = 60  # characters: longer answers are sentences
_MASS = 0.6  # of the distinct pairs of input and answer, those of a closed set
_SPREAD = 3  # and at least this many distinct inputs a label, on average

_FENCE = re.compile(r"^```\w*\s*(.*?)\s*```$", re.DOTALL)
_NAMED = re.compile(
    r"^\W*(?:the\s+)?(?:label|category|answer|intent|sentiment|class|classification|output|result|"
    r"类别|标签|答案|分类|情感|意图|结果)\s*(?:is)?\s*[:：]\s*(?=\S)",
    re.IGNORECASE,
)
_QUOTES = " \t\r\n\"'`*“”‘’「」『』《》"
_ENDS = _QUOTES + ".。!！,，;；:："
_JOINTS = re.compile(r"(?<=\w)[\s_\-]+(?=\w)")


@dataclass(frozen=True)
class Reading:
    """An answer as read: its surface without dress, and the form that equals have in common."""

    surface: str
    form: str
    fields: bool = False  # an object of several fields


def reading(text: str) -> Reading:
    """Read an answer. One-field JSON, quotes, a name before it, case and a full stop are dress."""
    return _remembered(text) if len(text) <= _REMEMBERED else _read(text)


def _read(text: str) -> Reading:
    inner = unfenced(text)
    if inner[:1] in ("{", "[", '"'):
        try:
            value = json.loads(inner)
        except (ValueError, RecursionError):
            value = inner
        single = _single(value)
        if single is None:
            return Reading(text, text, fields=True)
        inner = single
    inner = _NAMED.sub("", inner)
    surface = inner.lstrip(_QUOTES).rstrip(_ENDS) or inner.strip() or text
    form = _JOINTS.sub(" ", unicodedata.normalize("NFKC", surface).casefold())
    return Reading(surface, form)


_remembered = lru_cache(maxsize=1 << 16)(_read)


def unfenced(text: str) -> str:
    """A text without the white space and the code fence around it."""
    inner = text.strip()
    fenced = _FENCE.match(inner)
    return fenced[1] if fenced else inner


def _single(value: Json) -> str | None:
    """The one value of a JSON answer as text, or None where there are several."""
    if isinstance(value, dict | list):
        if len(value) != 1:
            return None
        inner = next(iter(value.values())) if isinstance(value, dict) else value[0]
        return None if isinstance(inner, dict | list) else _single(inner)
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Answers:
    """What kind of answers a task has; `labels` maps forms to the surface most often seen."""

    kind: Kind
    labels: Mapping[str, str]


def answers(pairs: Iterable[tuple[str, str]]) -> Answers:
    """The kind of answers, from pairs of a distinct input and an answer to it."""
    read = [(key, reading(said)) for key, said in pairs]
    if not read:
        return Answers("free_text", {})
    if sum(r.fields for _, r in read) > 0.5 * len(read):
        return Answers("fields", {})
    short = [(key, r) for key, r in read if not r.fields and len(r.form) <= _LABEL]
    seen = Counter(form for form, _ in {(r.form, key) for key, r in short})
    inputs = len({key for key, _ in read})
    given = len({(r.form, key) for key, r in read})
    closed = {form for form, times in seen.items() if times >= 2}
    mass = sum(seen[form] for form in closed)
    if mass < _MASS * given or len(closed) * _SPREAD > inputs:
        return Answers("free_text", {})
    surfaces: dict[str, Counter[str]] = {form: Counter() for form in closed}
    for _, r in short:
        if r.form in closed:
            surfaces[r.form][r.surface] += 1
    return Answers("labels", {form: _usual(surfaces[form]) for form in sorted(closed)})


def _usual(seen: Counter[str]) -> str:
    return min(seen, key=lambda surface: (-seen[surface], surface))
