"""Names for what was found: short, and each of them once."""

import re

_NAME = 40  # cells
_DULL = {
    "you", "are", "a", "an", "the", "is", "as", "act", "please", "helpful", "assistant", "ai",
    "expert", "that", "who", "your", "job", "task", "to", "following", "this", "of", "for",
    "model", "i", "will", "give", "with", "one", "into", "and", "or", "in", "my", "it",
}  # fmt: skip


def slug(words: str) -> str:
    """A short name of letters, digits and dashes, without the words that all prompts share."""
    parts = re.findall(r"[^\W_]+", words.casefold())
    telling = [part for part in parts if part not in _DULL] or parts
    name = ""
    for part in telling:
        if name and _width(name) + _width(part) + 1 > _NAME:
            break
        name = f"{name}-{part}" if name else part[: _NAME * len(part) // _width(part)]
    return "".join(c for c in name if c.isalnum() or c == "-")


def unique(words: str, taken: set[str]) -> str:
    """A name of words that is not yet taken; from now on it is."""
    name = base = slug(words) or "task"
    number = 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    taken.add(name)
    return name


def _width(text: str) -> int:
    """Cells of a terminal: a Chinese character takes two."""
    return sum(2 if c >= "\u2e80" else 1 for c in text)
