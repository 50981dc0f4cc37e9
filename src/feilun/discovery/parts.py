"""Texts cut into parts that share a head and a tail: what is left of each is its input."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from feilun.discovery.heads import MANY, heads, size, to_delimiter

TELLING = 12  # letters that tell a task from others


@dataclass(frozen=True)
class Part:
    """Texts by position, the words around the input that they share, and the inputs."""

    head: str
    tail: str
    places: list[int] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)


def parts(texts: Sequence[str], answers: Sequence[str]) -> list[Part]:
    """Cut texts, of which the answers are known. Each is in one part; their order is kept."""
    said = dict(zip(texts, answers, strict=True))
    by_head = heads(sorted(said), said, 0, 0)
    place = {text: (number, head) for number, (held, head) in enumerate(by_head) for text in held}
    tails = _tails(by_head, said)
    found: dict[Hashable, Part] = {}
    for position, text in enumerate(texts):
        number, head = place[text]
        nth, tail = tails[text]
        end = len(text) - tail
        part = found.setdefault((number, nth), Part(text[:head], text[end:]))
        part.places.append(position)
        part.inputs.append(text[head:end].strip() or text)
    return list(found.values())


def strands(texts: Sequence[str]) -> list[list[int]]:
    """Texts by position, those with one telling head or tail together, and the rest.

    `parts` takes heads for heads where they hold nearly all texts. Where nothing else holds
    texts together, many apps may speak among much talk: each with long words of its own.
    """
    found: list[list[int]] = []
    rest = list(range(len(texts)))
    for step in (1, -1):
        pieces: dict[str, list[int]] = defaultdict(list)
        for position in rest:
            pieces[to_delimiter(texts[position][::step], 0) or ""].append(position)
        telling = [held for piece, held in pieces.items() if size(piece) >= TELLING]
        large = [held for held in telling if len({texts[n] for n in held}) >= MANY]
        found += large
        taken = {position for held in large for position in held}
        rest = [position for position in rest if position not in taken]
    return [*found, rest] if rest else found


def _tails(
    by_head: Sequence[tuple[list[str], int]], said: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """Of each text the number of its tail among those with its head, and the tail's length."""
    found: dict[str, tuple[int, int]] = {}
    for held, head in by_head:
        back = {text[head:][::-1]: said[text] for text in held}
        ends = {
            end: (nth, cut)
            for nth, (group, cut) in enumerate(heads(sorted(back), back, 0, 0))
            for end in group
        }
        found.update({text: ends[text[head:][::-1]] for text in held})
    return found
