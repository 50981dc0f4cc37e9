"""Wrapping for a terminal that shows Chinese: rich breaks at white space alone.

Rich moves a whole Chinese clause to the next line, and breaks between a figure and its
unit. Here a line may break at a space and between Chinese characters, never at a no-break
space, and no line begins with a closing mark.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

_WIDE, _OPEN, _CLOSE = r"\u2e80-\uffef", "（《「『", "，。；：！？、）》」』"
_ATOM = re.compile(rf" +|[{_OPEN}]*(?:[^ {_WIDE}]+|[{_WIDE}])[{_CLOSE}]*")


@dataclass(frozen=True)
class Prose:
    """Text that wraps well in both languages. The first line may have a style of its own."""

    text: str
    style: str = ""
    first: str | None = None

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        for number, line in enumerate(folded(self.text, options.max_width)):
            style = self.style if number or self.first is None else self.first
            yield Text(line, style, no_wrap=True, overflow="ignore")

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        widest = max(map(cell_len, self.text.split("\n")))
        narrowest = max((cell_len(atom) for atom in _atoms(self.text)), default=0)
        return Measurement(narrowest, widest).with_maximum(options.max_width)


def folded(text: str, width: int) -> Iterator[str]:
    """The lines of a text, none wider than `width` cells."""
    for paragraph in text.split("\n"):
        line = ""
        for atom in _atoms(paragraph):
            if line and cell_len(line) + cell_len(atom.rstrip(" ")) > width:
                yield line.rstrip(" ")
                line = ""
            if line or atom.strip(" "):
                line += atom
            if cell_len(line.rstrip(" ")) > width:  # a word that is wider than a line
                *whole, line = chop_cells(line, width)
                yield from whole
        yield line.rstrip(" ")


def _atoms(text: str) -> list[str]:
    return _ATOM.findall(text)
