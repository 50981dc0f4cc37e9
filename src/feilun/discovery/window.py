"""The raw calls that discovery looks at: the youngest, as much of each as it needs."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from feilun.discovery.request import LONG, Asked, read_request
from feilun.discovery.said import Said, message
from feilun.discovery.why_not import WhyNot
from feilun.ports import Progress
from feilun.records import Call, Ended

MOST = 20_000  # calls
_CHARACTERS = 50_000_000  # of texts and answers together: about 200 MB where all is Chinese

STEPS, LOOKED = 1000, 500
"""Steps of progress, and how many of them it takes to look at all calls."""


@dataclass(frozen=True, slots=True)
class Raw:
    """One raw call. Text and answer are empty where the request is barred."""

    asked: Asked
    answer: str
    model: str
    tokens: int | None
    at: datetime
    weight: int  # characters that are held for it


def window(calls: Iterable[Call], progress: Progress | None = None) -> list[Raw]:
    """The last calls that were kept whole and ended well, 20,000 at most, oldest first."""
    held: deque[Raw] = deque()
    systems: dict[str, str] = {}
    room = _CHARACTERS
    for number, call in enumerate(calls, start=1):
        if progress and number % 100 == 0:  # how many there are is not known before the end
            progress(LOOKED * number // (number + MOST), STEPS)
        raw = _raw(call, systems)
        if raw is None:
            continue
        held.append(raw)
        room -= raw.weight
        while len(held) > MOST or room < 0:
            room += held.popleft().weight
        if len(systems) > 2 * MOST:
            systems = {raw.asked.system: raw.asked.system for raw in held}
    return list(held)


def _raw(call: Call, systems: dict[str, str]) -> Raw | None:
    """What is held of a call, or None for one that says nothing."""
    if call.kept != "whole" or call.ended is not Ended.COMPLETE:
        return None
    if not isinstance(call.input, dict) or not isinstance(call.output, dict):
        return None
    asked = read_request(call.input)
    said = message(call.output)
    bar = asked.bar or _bar(said)
    text, answer = (asked.text, said.text) if bar is None else ("", "")
    system = systems.get(asked.system)  # one of each is held, however many calls have it
    weight = len(text) + len(answer) + 500 + (len(asked.system) if system is None else 0)
    system = systems.setdefault(asked.system, asked.system)
    tokens = [count for count in (call.tokens_in, call.tokens_out) if count is not None]
    return Raw(
        asked=Asked(system, text, asked.format, bar),
        answer=answer,
        model=str(call.input.get("model") or call.variant)[:200],
        tokens=sum(tokens) if tokens else None,
        at=call.at,
        weight=weight,
    )


def _bar(said: Said) -> WhyNot | None:
    """What an answer tells of its request: one that called a tool had tools."""
    if said.why is not None:
        return WhyNot.TOOLS if said.why == "tools" else WhyNot.MEDIA
    return WhyNot.TOO_LONG if len(said.text) > LONG else None
