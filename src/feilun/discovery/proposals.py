"""From raw calls to proposals: by system prompt, by the words around the input, by the answers.

Requests are one task where the system prompt fits one template, the answer is asked for in
one form, and the message of the user has one head and one tail. What is fixed in this way
must find the requests again later, so a group that nothing fixed holds together is shown
and cannot be adopted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from feilun.discovery.answers import answers, reading
from feilun.discovery.heads import END, MANY, size
from feilun.discovery.look import Look, Seen, look, schema, seen, surfaces
from feilun.discovery.naming import unique
from feilun.discovery.parts import TELLING, Part, parts, strands
from feilun.discovery.proposal import Kind, Proposal
from feilun.discovery.template import GAP, learn
from feilun.discovery.why_not import WhyNot
from feilun.discovery.window import LOOKED, STEPS, Raw, window
from feilun.ports import Progress
from feilun.records import Call, Json, Shot, content_id, stable_json

_ONE_FORM = 0.9  # of the answers, for JSON to be their form
_SHOWN = 300  # characters of an example
_STOPS = ".?!。？！…"


@dataclass(frozen=True)
class _Group:
    """Calls with the same fixed words around their inputs."""

    system: str
    head: str
    tail: str
    format: dict[str, Json] | None
    bar: WhyNot | None
    rows: list[Raw] = field(default_factory=list)

    def input(self, raw: Raw) -> str:
        """What stands between the head and the tail of a call's text."""
        text = raw.asked.text
        return text[len(self.head) : len(text) - len(self.tail)].strip()


def propose(calls: Iterable[Call], progress: Progress | None = None) -> list[Proposal]:
    """The tasks that raw calls seem to be, the largest first; groups of fewer than 20 are none.

    Looks at the last 20,000 calls. `id` and what is fixed stay the same while more traffic of
    the same kind comes. Progress is told in thousandths.
    """
    rows = window(calls, progress)
    groups = [group for group in _groups(rows, progress) if len(group.rows) >= MANY]
    groups.sort(key=lambda group: (-len(group.rows), _id(group)))
    days = _days(rows)
    ids: set[str] = set()
    names: set[str] = set()
    return [_proposal(group, len(rows), days, ids, names) for group in groups]


# Groups


def _groups(rows: Sequence[Raw], progress: Progress | None) -> Iterator[_Group]:
    templates = learn(Counter(raw.asked.system for raw in rows))
    kinds: dict[tuple[str, bytes, WhyNot | None], list[Raw]] = defaultdict(list)
    for raw in rows:
        form = stable_json(raw.asked.format)
        kinds[templates[raw.asked.system], form, raw.asked.bar].append(raw)
    done = 0
    varied = []
    for (system, _, bar), held in kinds.items():
        if len(held) < MANY and system and bar is None:
            varied += held
        else:
            yield from _cut(system, bar, held)
        done += len(held)
        if progress:
            progress(LOOKED + (STEPS - LOOKED) * done // len(rows), STEPS)
    yield _Group("", "", "", None, WhyNot.VARIED, varied)


def _cut(system: str, bar: WhyNot | None, rows: list[Raw]) -> Iterable[_Group]:
    """Calls under one system prompt by the words around their inputs."""
    if bar is not None:
        return [_Group(system, "", "", rows[0].asked.format, bar, rows)]
    if system:
        return _around(system, rows)
    held_together = strands([raw.asked.text for raw in rows])
    return [group for held in held_together for group in _around("", [rows[n] for n in held])]


def _around(system: str, rows: list[Raw]) -> Iterable[_Group]:
    """Calls by the words that stand around their inputs."""
    form = rows[0].asked.format
    texts = [raw.asked.text for raw in rows]
    found: dict[tuple[str, str], _Group] = {}
    for part in parts(texts, [reading(raw.answer).form for raw in rows]):
        head, tail = _head(part), _tail(part)
        group = found.setdefault((head, tail), _Group(system, head, tail, form, None))
        group.rows.extend(rows[place] for place in part.places)
    return found.values()


def _head(part: Part) -> str:
    """The head without what is there by chance: "I " or "How do I " are the input's own words."""
    ends = [end.end() for end in END.finditer(part.head)]
    until = len(part.head) if size(part.head) >= TELLING and not ends else max(ends, default=0)
    return part.head[:until].rstrip()


def _tail(part: Part) -> str:
    """The tail, unless it is no more than the stop that sentences have."""
    by_chance = not size(part.tail) and set(part.tail) & set(_STOPS)
    return "" if by_chance else part.tail.lstrip()


# One proposal


def _proposal(group: _Group, total: int, days: float, ids: set[str], names: set[str]) -> Proposal:
    said = [(group.input(raw), raw.answer) for raw in group.rows if raw.answer.strip()]
    told = _told(group, said)
    tokens = [raw.tokens for raw in group.rows if raw.tokens is not None]
    return Proposal(
        id=_own(_id(group), group, ids),
        name=unique(_words(group), names),
        kind=told.kind,
        system=group.system,
        head=group.head,
        tail=group.tail,
        format=group.format,
        answer=told.look.shape,
        field=told.look.field,
        labels=told.labels,
        surfaces=told.surfaces,
        output_schema=told.schema or {},
        examples=_examples(said, told),
        calls=len(group.rows),
        share=len(group.rows) / total,
        models=dict(Counter(raw.model for raw in group.rows).most_common()),
        tokens_per_day=round(sum(tokens) / days) if tokens else None,
        why_not=_why_not(group, told),
    )


def _id(group: _Group) -> str:
    """An id of what is fixed. Short heads and tails may be chance, so they have no say in it."""
    around = [part if size(part) >= TELLING else "" for part in (group.head, group.tail)]
    fixed = [*group.system.split(GAP), *around]
    words = [" ".join(part.casefold().split()) for part in fixed]
    return content_id([*words, group.format, group.bar])


def _own(id: str, group: _Group, ids: set[str]) -> str:
    """An id that no larger group has: where only short heads or tails differ, they have a say."""
    own = content_id([id, group.head, group.tail]) if id in ids else id
    ids.add(own)
    return own


def _words(group: _Group) -> str:
    """Words to name a task by: its head says more than its system prompt, where it has one."""
    head = group.head if size(group.head) >= TELLING else ""
    own = f"{head} {group.system} {group.head} {group.tail}".replace(GAP, " ")
    return own if own.strip() else (group.bar or "chat")


@dataclass(frozen=True)
class _Told:
    """What the answers tell of a task. `schema` is None where it could not be made."""

    kind: Kind
    look: Look
    labels: dict[str, int]
    surfaces: dict[str, Json]
    schema: dict[str, Json] | None


_TEXT: dict[str, Json] = {"type": "string"}


def _told(group: _Group, said: Sequence[tuple[str, str]]) -> _Told:
    """The kind of a task by its pairs of input and answer."""
    if group.bar is not None or not said:
        return _Told("text", Look("text", None, 1.0), {}, {}, _TEXT)
    views = [seen(answer) for _, answer in said]
    usual = look(views)
    found = answers(said)
    if found.kind == "labels":
        return _labels(said, views, found.labels)
    if usual.shape == "text":
        return _Told("text", usual, {}, {}, _TEXT)
    values = [view.value for view in views if view.shape == usual.shape]
    if usual.shape == "field" and all(isinstance(value, str) for value in values):
        return _Told("text", usual, {}, {}, _TEXT)
    return _fields(group, views)


def _labels(
    said: Sequence[tuple[str, str]], views: Sequence[Seen], labels: Mapping[str, str]
) -> _Told:
    """A closed set of labels, in the look that most of them have."""
    named = [labels.get(reading(answer).form) for _, answer in said]
    counts = Counter(label for label in named if label is not None)
    usual = look([view for view, label in zip(views, named, strict=True) if label is not None])
    pairs = [(view, answer) for view, (_, answer) in zip(views, said, strict=True)]
    return _Told(
        "labels",
        usual,
        dict(counts.most_common()),
        surfaces(pairs, usual, labels),
        {"enum": sorted(counts), "type": "string"},
    )


def _fields(group: _Group, views: Sequence[Seen]) -> _Told:
    """JSON values: what the requests ask for is the schema, else what the answers share."""
    whole = [
        {view.field: view.value} if view.shape == "field" else view.value
        for view in views
        if view.shape != "text"
    ]
    asked = group.format if group.format and group.format != {"type": "object"} else None
    usual = Look("json", None, len(whole) / len(views))
    return _Told("fields", usual, {}, {}, asked or schema(whole))


def _why_not(group: _Group, told: _Told) -> WhyNot | None:
    if group.bar is not None:
        return group.bar
    systems = len({raw.asked.system for raw in group.rows})
    if systems > len(group.rows) / 2 and len(set(map(group.input, group.rows))) < systems / 2:
        return WhyNot.VARIED
    if size(f"{group.system}{group.head}{group.tail}") < TELLING:
        return WhyNot.NOTHING_FIXED
    if told.kind == "fields" and told.look.share < _ONE_FORM:
        return WhyNot.MIXED
    return None if told.schema is not None else WhyNot.NO_GENSON


def _examples(said: Sequence[tuple[str, str]], told: _Told) -> tuple[Shot, ...]:
    """The first three calls with different answers, or with different inputs."""
    shown: dict[str, Shot] = {}
    for text, answer in said:
        form = reading(answer).form if told.kind == "labels" else text
        if text and form not in shown:
            shown[form] = Shot(input=_short(text), output=_short(answer))
        if len(shown) == 3:
            break
    return tuple(shown.values())


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _days(rows: Sequence[Raw]) -> float:
    """Days between the first call and the last, one at least: an hour is no week's measure."""
    moments = [raw.at for raw in rows]
    return max(1.0, (max(moments) - min(moments)) / timedelta(days=1)) if moments else 1.0
