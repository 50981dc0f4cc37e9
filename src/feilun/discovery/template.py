"""Texts that differ in a few places, as one template, `<*>` where it varies.

A template is made once, from many texts, and matched often: a match takes time linear in
the text, whatever the text. A gap holds a few words of one line and no more, so that a
prompt which has gained an instruction fits no longer.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import blake2b

from feilun.discovery.heads import size

GAP = "<*>"

_WIDEST = 200  # characters in a gap
_VALUES = 5  # fewer values of a place, and it is an instruction: "into French", "into German"
_ALIKE = 0.7  # of the letters, as drain3 is set for logs
_LETTERS = 12  # fixed letters that tell a template from others
_ALIGNED = 200  # tokens between what two texts begin and end with: more are one gap
# These bound the time that a log takes in which no two system prompts are the same.
_ROUND, _ROUNDS, _TRIES = 200, 5, 3  # texts compared at a time; how often; merges tried for each
_COMPARED = 8_000  # characters: longer texts are taken as they are
_NEARLY = re.compile(r"<\*>[^\w\n]{0,3}<\*>")

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?"
_MOMENT = re.compile(
    rf"""
    \b[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}\b            # a UUID
    | \b\d{{4}}-\d\d?-\d\d?(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?
    | \b\d{{1,4}}[/.]\d{{1,2}}[/.]\d{{1,4}}\b
    | \b(?:{_DAY},?\ +)?{_MONTH}\ +\d{{1,2}}(?:st|nd|rd|th)?,?\ +\d{{4}}\b
    | \b(?:{_DAY},?\ +)?\d{{1,2}}(?:st|nd|rd|th)?\ +{_MONTH},?\ +\d{{4}}\b
    | \d{{4}}\s?年\s?\d{{1,2}}\s?月\s?\d{{1,2}}\s?日(?:\s?(?:星期|周|礼拜)[一二三四五六日天])?
    | \b\d\d?:\d\d(?::\d\d)?(?:\ ?[ap]m)?\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DIGIT = re.compile(r"\d")
_TOKEN = re.compile(
    r"<\*>|\d(?:[\w.,:/\-]*\w)?|[\u3400-\u9fff]|[^\W\d\u3400-\u9fff][^\W\u3400-\u9fff]*|\s|[^\w\s]"
)


def fits(pieces: Sequence[str], text: str) -> bool:
    """Whether a text is a template, cut at its gaps, with a few words in each of them.

    The leftmost place of each piece is taken and none is tried again: linear, and where that
    is the wrong place the text does not fit, which sends it to its model.
    """
    if len(pieces) == 1:
        return text == pieces[0]
    first, last = pieces[0], pieces[-1]
    end = len(text) - len(last)
    at = len(first)
    if end < at or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in pieces[1:-1]:
        found = text.find(piece, at, min(end, at + _WIDEST + len(piece)))
        if found < 0 or text.find("\n", at, found) >= 0:
            return False
        at = found + len(piece)
    return 0 <= end - at <= _WIDEST and text.find("\n", at, end) < 0


def fixed(template: str) -> int:
    """Characters of a template that do not vary."""
    return sum(map(len, template.split(GAP)))


def blanked(text: str) -> str:
    """A text with gaps for what always varies: dates, times of day, UUIDs."""
    lines = text.split("\n")
    # All of these have digits, and looking for one is a hundred times faster.
    return _joined("\n".join(_MOMENT.sub(GAP, x) if _DIGIT.search(x) else x for x in lines))


def learn(texts: Mapping[str, int]) -> dict[str, str]:
    """The template of each text, of which it is known how often it was seen.

    A place varies where at least five values of it were seen, or where it holds a moment.
    """
    blank = {text: blanked(text) for text in texts}
    forms = Counter[str]()
    for text, form in blank.items():
        forms[form] += texts[text]
    found = _templates(forms)
    learnt = {text: found[form] for text, form in blank.items()}
    # What is told must hold, and the leftmost place of a piece may be the wrong one.
    return {
        text: template if fits(template.split(GAP), text) else text
        for text, template in learnt.items()
    }


def _templates(forms: Mapping[str, int]) -> dict[str, str]:
    """Of each form its template: clusters of enough values have one, all others are their own."""
    found = {form: form for form in forms}
    fresh = sorted(
        (form for form in forms if _LETTERS < len(form) <= _COMPARED),
        key=lambda form: (-forms[form].bit_length(), _lot(form)),
    )
    for _ in range(_ROUNDS):
        clusters = _clusters(fresh[:_ROUND])
        learnt = [c.template.split(GAP) for c in clusters if c.members >= _VALUES]
        fresh = fresh[_ROUND:]
        for form in [form for form, template in found.items() if template == form]:
            pieces = next((pieces for pieces in learnt if fits(pieces, form)), None)
            if pieces is not None:
                found[form] = GAP.join(pieces)
        fresh = [form for form in fresh if found[form] == form]
    return found


def _lot(form: str) -> bytes:
    """A place in a queue in which no kind of text stands before another."""
    return blake2b(form.encode(errors="replace"), digest_size=8).digest()


@dataclass
class _Cluster:
    template: str
    words: frozenset[str]
    members: int = 1


def _clusters(forms: Iterable[str]) -> list[_Cluster]:
    """Forms by likeness: each goes to the first cluster that it can be merged into."""
    clusters: list[_Cluster] = []
    for form in sorted(forms):
        words = frozenset(_TOKEN.findall(form))
        cluster = _home(clusters, form, words)
        if cluster is None:
            clusters.append(_Cluster(form, words))
        else:
            cluster.members += 1
    return clusters


def _home(clusters: Sequence[_Cluster], form: str, words: frozenset[str]) -> _Cluster | None:
    tries = 0
    for cluster in clusters:
        if fits(cluster.template.split(GAP), form):
            return cluster
        most = max(len(words), len(cluster.words))
        if tries < _TRIES and len(words & cluster.words) >= _ALIKE * most - 2:
            tries += 1
            if (merged := merge(cluster.template, form)) is not None:
                cluster.template, cluster.words = merged, frozenset(_TOKEN.findall(merged))
                return cluster
    return None


def merge(one: str, other: str) -> str | None:
    """The template of two texts or templates, or None where they are not alike enough."""
    left, right = _TOKEN.findall(one), _TOKEN.findall(other)
    start = _shared(left, right)
    end = _shared(left[start:][::-1], right[start:][::-1])
    middle = _aligned(left[start : len(left) - end], right[start : len(right) - end])
    merged = _joined("".join([*left[:start], *middle, *left[len(left) - end :]]))
    letters = size(merged)
    enough = letters >= max(_LETTERS, _ALIKE * max(size(one), size(other)))
    pieces = merged.split(GAP)
    return merged if enough and fits(pieces, one) and fits(pieces, other) else None


def _shared(left: Sequence[str], right: Sequence[str]) -> int:
    """How many tokens two lists begin with."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(left), len(right)))


def _aligned(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    """What two lists of tokens have in common, with gaps between."""
    if not left and not right:
        return
    if max(len(left), len(right)) <= _ALIGNED:
        matcher = SequenceMatcher(None, left, right, autojunk=False)
        for block in matcher.get_matching_blocks():
            piece = "".join(left[block.a : block.a + block.size])
            # A few shared letters are chance, but a line's end must stay: no gap goes past it.
            if "\n" in piece or size(piece) >= _LETTERS:
                yield from (GAP, piece)
    yield GAP


def _joined(merged: str) -> str:
    """A template in which gaps with next to nothing between them are one gap."""
    while (closed := _NEARLY.sub(GAP, merged)) != merged:
        merged = closed
    return merged
