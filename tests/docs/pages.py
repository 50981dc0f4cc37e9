"""Pages as tests see them: their headings, links and blocks, and how blocks are run.

A ```python block is run, with those above it on the page, in an empty folder. A ```text
block right after it is what it prints: the same words, and figures within a tenth or
three of those, because another machine or another Python rounds otherwise. A ```toml
block whose first line is `# name.toml` is written to that file. In a ```sh block the
lines that begin with `feilun` must parse against the command line.

    python tests/docs/pages.py    puts what the examples print into the pages
"""

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from feilun.testing import FakeClock

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?")


class TickingClock(FakeClock):
    """A second goes by at each look: a page gets the same ids and draws every time."""

    def now(self) -> datetime:
        """One second after the last look."""
        self.advance(timedelta(seconds=1))
        return super().now()


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text and the line on which it starts."""

    language: str
    text: str
    line: int


def pages() -> list[Path]:
    """Every page that people read."""
    top = [ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def twins() -> list[tuple[Path, Path]]:
    """Pages with their Chinese twins."""
    pairs = ((page, page.with_suffix(".zh.md")) for page in pages() if ".zh" not in page.name)
    return [(page, twin) for page, twin in pairs if twin.exists()]


def name_of(page: Path) -> str:
    """A page's path from the root: the id of its tests."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page, of these languages or of all."""
    text = page.read_text(encoding="utf-8")
    found = (
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 2)
        for match in _FENCE.finditer(text)
    )
    return [block for block in found if not languages or block.language in languages]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Where the links of a page lead."""
    return _LINK.findall(prose(page))


def headings(page: Path) -> list[tuple[int, str]]:
    """Depth and words of each heading."""
    return [(len(marks), words) for marks, words in _HEADING.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """The anchors that the headings of a page make, as code hosts do."""
    words = (words for _, words in headings(page))
    return {re.sub(r"[^\w\- ]", "", w.lower()).strip().replace(" ", "-") for w in words}


def commands(page: Path) -> Iterator[str]:
    """The lines of a page's sh blocks that call feilun."""
    for block in blocks(page, "sh"):
        joined = block.text.replace("\\\n", " ")
        yield from (line.strip() for line in joined.splitlines() if line.startswith("feilun"))


def run(page: Path) -> Iterator[tuple[Block, str, Block | None]]:
    """Run a page in an empty folder: each python block, what it prints, and where that stands."""
    names: dict[str, object] = {"__name__": page.stem}
    found = blocks(page)
    with _empty_folder(), patch("feilun.wiring.SystemClock", TickingClock):
        for block, after in zip(found, [*found[1:], None], strict=True):
            first = block.text.partition("\n")[0]
            if block.language == "toml" and first.startswith("# ") and first.endswith(".toml"):
                Path(first[2:]).write_text(block.text, encoding="utf-8")
            if block.language == "python":
                printed = io.StringIO()
                # As many empty lines before it: a traceback then names the page's own line.
                code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
                with contextlib.redirect_stdout(printed):
                    exec(code, names)  # noqa: S102 - the pages are ours
                said = after if after and after.language == "text" else None
                yield block, printed.getvalue(), said


def same(said: str, printed: str) -> bool:
    """Whether two outputs have the same words, and figures that are near each other."""
    texts = [" ".join(_FIGURE.sub("#", text).split()) for text in (said, printed)]
    figures = [
        [float(figure.replace(",", "")) for figure in _FIGURE.findall(text)]
        for text in (said, printed)
    ]
    return texts[0] == texts[1] and all(
        abs(a - b) <= max(3, 0.1 * max(a, b)) for a, b in zip(*figures, strict=True)
    )


@contextlib.contextmanager
def _empty_folder() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        kept = {name: value for name, value in os.environ.items() if "FEILUN" not in name}
        with patch.dict(os.environ, kept, clear=True):
            yield


def rewrite(page: Path) -> None:
    """Put what a page's examples print into it, and into its twin."""
    for one in (page, page.with_suffix(".zh.md")):
        if not one.exists():
            continue
        text = one.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        for _, printed, said in reversed(list(run(one))):
            if said:
                lines[said.line - 1 : said.line - 1 + said.text.count("\n")] = [printed]
        one.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    for page in pages():
        if ".zh" not in page.name and blocks(page, "python"):
            rewrite(page)
