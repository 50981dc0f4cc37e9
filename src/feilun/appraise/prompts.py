"""Which prompts are one task, and which part of a prompt is the input.

A task's prompts share a system prompt (but for dates and names: drain3 finds those), and
often a head ("Classify this email:") and a tail. What is left is what the student reads.
Long shared heads must go: with them every prompt would be nearly the same as any other.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from drain3.drain import Drain

_MANY = 20  # distinct prompts that share a head before it is taken for a task's
_SHARE = 0.05  # and this share of the prompts among which it is found
_COVER = 0.9  # heads are tasks only if together they hold this share
_MINED = 300  # characters of a system prompt that drain3 reads
_KINDS = 20_000  # distinct system prompts mined at most
_TEMPLATES = 100  # of the heads of user messages: where there are more, they are free text
_DEPTH = 12
_CONTEXT = 1000  # characters of a varying context that the student reads

_END = re.compile(r"[:：\n\"“”「」『』《》<>\[\]{}()（）|`?？。.!！;；]+\s*")
_SPACED = re.compile(r"([\u3400-\u9fff])")
_MASKS = (
    (re.compile(r"https?://\S+"), "<url>"),
    (re.compile(r"\S+@\S+\.\S+"), "<mail>"),
    (re.compile(r"\d[\d.,:/\-]*"), "<0>"),
)
_TURN = re.compile(r"(?:^|\n)(?:user|assistant): ")


@dataclass(frozen=True)
class Prompt:
    """What the model read: the context, the text, and the form of what it answered."""

    context: str
    text: str
    answer: str


@dataclass(frozen=True)
class Group:
    """Prompts of one task by position, the input in each, and words to name it by."""

    rows: list[int]
    inputs: list[str]
    words: str


def group(prompts: Sequence[Prompt]) -> list[Group]:
    """Cut prompts into tasks. Each prompt is in one group; the order of the log is kept."""
    by_system = _systems(prompts)
    groups: list[Group] = []
    pooled: list[int] = []
    for system, rows in by_system.items():
        kinds = len({prompts[i].context for i in rows})
        if len(rows) < _MANY < len(prompts) or kinds > max(1, len(rows) // 2):
            pooled += rows
        else:
            groups += _tasks(rows, _parts(prompts, rows), prompts, system)
    if pooled:  # the context differs from call to call: it holds the input, or a conversation
        pooled.sort()
        whole = [f"{prompts[i].context}\n{prompts[i].text}" for i in pooled]
        groups += _tasks(pooled, whole, prompts, "")
    return groups


class _Templates:
    """What drain3 makes of texts: each falls into a template, named by its number and first text."""

    def __init__(self, similarity: float) -> None:
        self._drain = Drain(depth=4, sim_th=similarity, max_children=100, max_clusters=1000)
        self._first: dict[int, str] = {}

    @property
    def count(self) -> int:
        """How many templates there are so far."""
        return len(self._first)

    def of(self, text: str) -> str:
        """The name of a text's template; a text without words has none."""
        if not text.strip():
            return ""
        cluster, _ = self._drain.add_log_message(_masked(text))
        number = cluster.cluster_id
        return f"{number} {self._first.setdefault(number, text)}"


# The system prompt


def _systems(prompts: Sequence[Prompt]) -> dict[str, list[int]]:
    """Rows by the template of their system prompt, the first one's place first."""
    templates = _Templates(similarity=0.7)
    kinds: dict[str, str] = {}
    ids: dict[str, str] = {}
    found: dict[str, list[int]] = defaultdict(list)
    for row, prompt in enumerate(prompts):
        kind = kinds.get(prompt.context)
        if kind is None:
            head = _TURN.split(prompt.context, maxsplit=1)[0][:_MINED]
            kind = ids.get(head)
            if kind is None:
                kind = ids[head] = templates.of(head) if len(ids) < _KINDS else ""
            if len(kinds) < _KINDS:
                kinds[prompt.context] = kind
        found[kind].append(row)
    return found


def _masked(text: str) -> str:
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return _SPACED.sub(r" \1 ", text)


def _parts(prompts: Sequence[Prompt], rows: Sequence[int]) -> list[str]:
    """The texts of rows, with what varies in their contexts before them."""
    contexts = sorted({prompts[i].context for i in rows})
    if len(contexts) == 1:
        return [prompts[i].text for i in rows]
    head = _shared(contexts)
    tail = _shared(sorted(c[head:][::-1] for c in contexts))
    varied = {c: c[head : len(c) - tail].strip()[-_CONTEXT:] for c in contexts}
    return [f"{varied[prompts[i].context]}\n{prompts[i].text}".strip() for i in rows]


# Heads and tails


def _tasks(
    rows: list[int], texts: list[str], prompts: Sequence[Prompt], system: str
) -> list[Group]:
    said = {text: prompts[row].answer for row, text in zip(rows, texts, strict=True)}
    heads = _heads(sorted(said), said, 0, 0)
    place = {text: (number, head) for number, (held, head) in enumerate(heads) for text in held}
    tails: dict[str, tuple[Hashable, int]] = {}
    for number, (held, head) in enumerate(heads):
        back = {text[head:][::-1]: said[text] for text in held}
        ends = {
            t: (n, cut) for n, (ts, cut) in enumerate(_heads(sorted(back), back, 0, 0)) for t in ts
        }
        for text in held:
            nth, cut = ends[text[head:][::-1]]
            tails[text] = ((number, nth), cut)
    found: dict[Hashable, Group] = {}
    for row, text in zip(rows, texts, strict=True):
        head, (key, tail) = place[text][1], tails[text]
        if key not in found:
            shared = f"{text[:head]} {text[len(text) - tail :] if tail else ''}"
            found[key] = Group([], [], _words(system, shared, len(heads) > 1))
        inner = text[head : len(text) - tail].strip()
        found[key].rows.append(row)
        found[key].inputs.append(inner or text)
    return list(found.values())


def _words(system: str, shared: str, split: bool) -> str:
    """Words to name a group by: the head where heads tell tasks apart, else the system prompt."""
    own = system.partition(" ")[2]
    return f"{shared} {own}" if split or not own.strip() else f"{own} {shared}"


Held = tuple[list[str], int]


def _heads(texts: list[str], said: Mapping[str, str], start: int, depth: int) -> list[Held]:
    """Sorted distinct texts by the head they share, and its length."""
    shared = max(start, _shared(texts))
    if depth < _DEPTH and len(texts) >= _MANY:
        for cut, fits in (
            (_to_delimiter, _tell_apart),
            (_three_words, _differ),
            (_templates(), _differ),
        ):
            if split := _split(texts, said, shared, cut, fits):
                return [h for held, at in split for h in _heads(held, said, at, depth + 1)]
    return [(texts, shared)]


def _split(
    texts: list[str],
    said: Mapping[str, str],
    shared: int,
    cut: Callable[[str, int], str | None],
    fits: Callable[[Mapping[str, list[str]], Mapping[str, str]], bool],
) -> list[Held]:
    """Texts by their next piece, where a few pieces hold nearly all; else nothing."""
    pieces: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        pieces[cut(text, shared) or ""].append(text)
    least = max(_MANY, _SHARE * len(texts))
    if len(pieces) == 1:
        return []
    large = {piece: held for piece, held in pieces.items() if piece and len(held) >= least}
    covered = sum(len(held) for held in large.values())
    if covered < _COVER * len(texts) or not fits(large, said):
        return []
    rest = [text for piece, held in pieces.items() if piece not in large for text in held]
    split = [(held, shared) for held in large.values()]
    return [*split, (sorted(rest), shared)] if rest else split


def _tell_apart(pieces: Mapping[str, list[str]], said: Mapping[str, str]) -> bool:
    """Whether pieces are instructions: long, or with answers of their own."""
    if _answer_is_known(pieces, said):
        return False
    return all(_size(piece) >= 12 for piece in pieces) or len(pieces) == 1 or _differ(pieces, said)


def _differ(pieces: Mapping[str, list[str]], said: Mapping[str, str]) -> bool:
    """Whether the answers to different pieces are mostly different answers."""
    if len(pieces) < 2 or _answer_is_known(pieces, said):
        return False
    kinds = [{said[text] for text in held} for held in pieces.values()]
    whole = set().union(*kinds)
    return sum(len(kind) for kind in kinds) < 1.2 * len(whole)


def _answer_is_known(pieces: Mapping[str, list[str]], said: Mapping[str, str]) -> bool:
    """Whether most pieces settle the answer: then they are input ("Taxi: 30"), not instruction."""
    tops = [
        Counter(said[t] for t in held).most_common(1)[0][1] / len(held) for held in pieces.values()
    ]
    return sum(top >= 0.95 for top in tops) > len(tops) / 2


def _to_delimiter(text: str, start: int) -> str | None:
    """The next piece of a text, up to a colon, line end or the like, with some letters in it."""
    for end in _END.finditer(text, start, start + 400):
        if _size(text[start : end.start()]) >= 5:
            return text[start : end.end()].rstrip()
    return None


def _three_words(text: str, start: int) -> str | None:
    found = re.compile(r"(?:\S+\s+){3}").match(text, start, start + 200)
    return found[0] if found else None


def _templates() -> Callable[[str, int], str | None]:
    """The template of the next piece, by drain3: "Customer <*> wrote:"."""
    templates = _Templates(similarity=0.6)
    known: dict[str, str] = {}

    def template(text: str, start: int) -> str | None:
        piece = _to_delimiter(text, start)
        if piece is None:
            return None
        if piece not in known:
            if templates.count > _TEMPLATES:
                return None  # these are no templates
            known[piece] = templates.of(piece[:_MINED])
        return known[piece]

    return template


def _size(piece: str) -> int:
    """Letters in a piece; a Chinese character says as much as two."""
    return sum(2 if c >= "\u2e80" else 1 for c in piece if c.isalpha())


def _shared(ordered: Sequence[str]) -> int:
    """Length of what all of some sorted texts begin with, back to the last whole piece."""
    if len(ordered) < 5:
        return 0
    first, last = ordered[0], ordered[-1]
    low, high = 0, min(len(first), len(last))
    while low < high:
        middle = (low + high + 1) // 2
        if first[:middle] == last[:middle]:
            low = middle
        else:
            high = middle - 1
    while low and not (first[low - 1].isspace() or _END.match(first[low - 1])):
        low -= 1
    return low
