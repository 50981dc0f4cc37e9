"""Heads that prompts share: where a few of them hold nearly all prompts, they tell tasks apart."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

MANY = 20  # distinct prompts that share a head before it is taken for a task's
_SHARE = 0.05  # and this share of the prompts among which it is found
_COVER = 0.9  # heads are tasks only if together they hold this share
_TEMPLATES = 100  # of the heads of user messages: where there are more, they are free text
_DEPTH = 12
_MINED = 300  # characters of a text that drain3 reads

END = re.compile(r"[:：\n\"“”「」『』《》<>\[\]{}()（）|`?？。.!！;；]+\s*")
_SPACED = re.compile(r"([\u3400-\u9fff])")
_MASKS = (
    (re.compile(r"https?://\S+"), "<url>"),
    (re.compile(r"\S+@\S+\.\S+"), "<mail>"),
    (re.compile(r"\d[\d.,:/\-]*"), "<0>"),
)


class Templates:
    """What drain3 makes of texts: each falls into a template, named by its number and text."""

    def __init__(self, similarity: float) -> None:
        from drain3.drain import Drain  # only what mines texts waits for it

        self._drain = Drain(depth=4, sim_th=similarity, max_children=100, max_clusters=1000)
        self._first: dict[int, str] = {}

    @property
    def count(self) -> int:
        """How many templates there are so far."""
        return len(self._first)

    def of(self, text: str) -> str:
        """The name of a text's template; a text without words has none."""
        text = text[:_MINED]
        if not text.strip():
            return ""
        cluster, _ = self._drain.add_log_message(_masked(text))
        number = cluster.cluster_id
        return f"{number} {self._first.setdefault(number, text)}"


def _masked(text: str) -> str:
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return _SPACED.sub(r" \1 ", text)


Held = tuple[list[str], int]


def heads(texts: list[str], said: Mapping[str, str], start: int, depth: int) -> list[Held]:
    """Sorted distinct texts by the head they share, and its length."""
    shared = max(start, shared_length(texts))
    if depth < _DEPTH and len(texts) >= MANY:
        for cut, fits in (
            (to_delimiter, _tell_apart),
            (_three_words, _differ),
            (_templates(), _differ),
        ):
            if split := _split(texts, said, shared, cut, fits):
                return [h for held, at in split for h in heads(held, said, at, depth + 1)]
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
    least = max(MANY, _SHARE * len(texts))
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
    return all(size(piece) >= 12 for piece in pieces) or len(pieces) == 1 or _differ(pieces, said)


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


def to_delimiter(text: str, start: int) -> str | None:
    """The next piece of a text, up to a colon, line end or the like, with some letters in it."""
    for end in END.finditer(text, start, start + 400):
        if size(text[start : end.start()]) >= 5:
            return text[start : end.end()].rstrip()
    return None


def _three_words(text: str, start: int) -> str | None:
    found = re.compile(r"(?:\S+\s+){3}").match(text, start, start + 200)
    return found[0] if found else None


def _templates() -> Callable[[str, int], str | None]:
    """The template of the next piece, by drain3: "Customer <*> wrote:"."""
    templates = Templates(similarity=0.6)
    known: dict[str, str] = {}

    def template(text: str, start: int) -> str | None:
        piece = to_delimiter(text, start)
        if piece is None:
            return None
        if piece not in known:
            if templates.count > _TEMPLATES:
                return None  # these are no templates
            known[piece] = templates.of(piece)
        return known[piece]

    return template


def size(piece: str) -> int:
    """Letters in a piece; a Chinese character says as much as two."""
    return sum(2 if c >= "\u2e80" else 1 for c in piece if c.isalpha())


def shared_length(ordered: Sequence[str]) -> int:
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
    while low and not (first[low - 1].isspace() or END.match(first[low - 1])):
        low -= 1
    return low
