"""Kiosk: a small bilingual task with made-up traffic, for tests that need a wheel to turn.

People type what they want; the task names the shelf it stands on. Everything follows from
a seed. One line in seven says "the usual", which no model can know from the text, and the
teacher is wrong on about one line in five: there is something to correct and to refuse.
"""

import random
from dataclasses import dataclass

from feilun.records import Json, RedLine, Task
from feilun.tasks import declare

GOODS: dict[str, tuple[str, ...]] = {
    "drinks": ("green tea", "black coffee", "cola", "绿茶", "豆浆", "可乐"),
    "fruit": ("ripe apples", "bananas", "grapes", "苹果", "香蕉", "葡萄"),
    "bakery": ("a toast loaf", "croissants", "buns", "面包", "馒头", "包子"),
    "papers": ("the newspaper", "postcards", "a notebook", "报纸", "明信片", "笔记本"),
}
_ASKING = ("please bring {} for {name}", "{name} wants {}", "给{name}拿{}", "{}，{name}要")
USUAL = ("the usual", "老样子")
_LETTERS = "bcdfghjklmnpqrstvwxyz"

KIOSK: Task = declare(
    "kiosk.shelf",
    "Name the shelf on which the goods stand that a customer asks for.",
    {"type": "string"},
    {"type": "string", "enum": list(GOODS)},
    RedLine(max_loss=0.05, confidence=0.9),
)


@dataclass(frozen=True)
class Line:
    """What a customer typed, the right shelf, and what the teacher says."""

    text: str
    gold: str
    said: str


def lines(count: int, seed: int = 0) -> list[Line]:
    """The same lines for the same seed; names of customers keep them from being alike."""
    chance = random.Random(seed)  # noqa: S311 - traffic, no secret
    return [_line(chance) for _ in range(count)]


def told(traffic: list[Line]) -> dict[Json, Json]:
    """What the teacher says of each line: the answers of a `FakeEngine`."""
    return {line.text: line.said for line in traffic}


def _line(chance: random.Random) -> Line:
    gold = chance.choice(list(GOODS))
    goods = chance.choice(USUAL if chance.random() < 1 / 7 else GOODS[gold])
    name = "".join(chance.choices(_LETTERS, k=9))
    others = [shelf for shelf in GOODS if shelf != gold]
    said = chance.choice(others) if chance.random() < 1 / 5 else gold
    return Line(chance.choice(_ASKING).format(goods, name=name), gold, said)
