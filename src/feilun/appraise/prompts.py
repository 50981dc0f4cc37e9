"""Which prompts are one task, and which part of a prompt is the input.

A task's prompts share a system prompt (but for dates and names: drain3 finds those), and
often a head ("Classify this email:") and a tail. What is left is what the student reads.
Long shared heads must go: with them every prompt would be nearly the same as any other.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from feilun.discovery.heads import MANY, Templates, shared_length
from feilun.discovery.parts import parts

_KINDS = 20_000  # distinct system prompts mined at most
_CONTEXT = 1000  # characters of a varying context that the student reads

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
        if len(rows) < MANY < len(prompts) or kinds > max(1, len(rows) // 2):
            pooled += rows
        else:
            groups += _tasks(rows, _parts(prompts, rows), prompts, system)
    if pooled:  # the context differs from call to call: it holds the input, or a conversation
        pooled.sort()
        whole = [f"{prompts[i].context}\n{prompts[i].text}" for i in pooled]
        groups += _tasks(pooled, whole, prompts, "")
    return groups


# The system prompt


def _systems(prompts: Sequence[Prompt]) -> dict[str, list[int]]:
    """Rows by the template of their system prompt, the first one's place first."""
    templates = Templates(similarity=0.7)
    kinds: dict[str, str] = {}
    ids: dict[str, str] = {}
    found: dict[str, list[int]] = defaultdict(list)
    for row, prompt in enumerate(prompts):
        kind = kinds.get(prompt.context)
        if kind is None:
            head = _TURN.split(prompt.context, maxsplit=1)[0]
            kind = ids.get(head)
            if kind is None:
                kind = ids[head] = templates.of(head) if len(ids) < _KINDS else ""
            if len(kinds) < _KINDS:
                kinds[prompt.context] = kind
        found[kind].append(row)
    return found


def _parts(prompts: Sequence[Prompt], rows: Sequence[int]) -> list[str]:
    """The texts of rows, with what varies in their contexts before them."""
    contexts = sorted({prompts[i].context for i in rows})
    if len(contexts) == 1:
        return [prompts[i].text for i in rows]
    head = shared_length(contexts)
    tail = shared_length(sorted(c[head:][::-1] for c in contexts))
    varied = {c: c[head : len(c) - tail].strip()[-_CONTEXT:] for c in contexts}
    return [f"{varied[prompts[i].context]}\n{prompts[i].text}".strip() for i in rows]


# Heads and tails


def _tasks(
    rows: list[int], texts: list[str], prompts: Sequence[Prompt], system: str
) -> list[Group]:
    cut = parts(texts, [prompts[row].answer for row in rows])
    split = len({part.head for part in cut}) > 1
    return [
        Group(
            [rows[place] for place in part.places],
            part.inputs,
            _words(system, f"{part.head} {part.tail}", split),
        )
        for part in cut
    ]


def _words(system: str, shared: str, split: bool) -> str:
    """Words to name a group by: the head where heads tell tasks apart, else the system prompt."""
    own = system.partition(" ")[2]
    return f"{shared} {own}" if split or not own.strip() else f"{own} {shared}"
