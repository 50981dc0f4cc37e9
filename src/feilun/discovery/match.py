"""Which adoption a raw request matches, on the hot path: a few microseconds, match or none."""

from collections.abc import Iterable
from typing import NamedTuple

from feilun.discovery.request import read_request
from feilun.discovery.template import GAP, fits, fixed
from feilun.records import Adoption, Json

_REMEMBERED = 1024  # system prompts
_LONGEST = 8192  # characters of one that is remembered: 16 MB in all, if every one is new


class Matched(NamedTuple):
    """A request that is a call of a task."""

    task: str
    input: str
    adoption: Adoption


class _Rule(NamedTuple):
    adoption: Adoption
    pieces: list[str]
    head: str
    tail: str
    around: int
    format: dict[str, Json] | None


class Matcher:
    """Finds the task of a request. Immutable but for what it remembers: make a new one.

    Where several adoptions match, the most specific one counts: the one with more fixed text
    in the system prompt, then with more around the input, then the later one, then the one
    with the greater id.
    """

    def __init__(self, adoptions: Iterable[Adoption]) -> None:
        ordered = sorted(
            (each for each in adoptions if not each.ended), key=_specific, reverse=True
        )
        self._rules = [
            _Rule(each, each.system.split(GAP), each.head, each.tail,
                  len(each.head) + len(each.tail), each.format)
            for each in ordered
        ]  # fmt: skip
        self._known: dict[str, tuple[_Rule, ...]] = {}

    def match(self, request: Json) -> Matched | None:
        """The task that a request is a call of, and the input in it. Never raises."""
        if not self._rules or not isinstance(request, dict):
            return None
        asked = read_request(request)
        if asked.bar is not None:
            return None
        system = asked.system
        rules = self._known.get(system)
        if rules is None:
            rules = self._find(system)
        text = asked.text
        for rule in rules:
            if (
                len(text) > rule.around
                and text.startswith(rule.head)
                and text.endswith(rule.tail)
                and asked.format == rule.format
            ):
                input = text[len(rule.head) : len(text) - len(rule.tail)].strip()
                if input:
                    return Matched(rule.adoption.task, input, rule.adoption)
        return None

    def _find(self, system: str) -> tuple[_Rule, ...]:
        """The rules whose template a system prompt fits, most specific first."""
        found = tuple(rule for rule in self._rules if fits(rule.pieces, system))
        if len(system) <= _LONGEST:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[system] = found
        return found


def _specific(adoption: Adoption) -> tuple[object, ...]:
    around = len(adoption.head) + len(adoption.tail)
    return (fixed(adoption.system), around, adoption.at, adoption.id)
