"""A GGUF file that has a head and no model in it: enough for what reads sizes."""

import struct
from collections.abc import Mapping


def tiny_gguf(numbers: Mapping[str, int], weights: bytes = b"") -> bytes:
    """The bytes of a file with these numbers in its head, and then some more bytes."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(numbers) + 1)
    words = _text("general.architecture") + struct.pack("<I", 8) + _text("tiny")
    each = (_text(key) + struct.pack("<II", 4, value) for key, value in numbers.items())
    return head + words + b"".join(each) + weights


def _text(words: str) -> bytes:
    data = words.encode()
    return struct.pack("<Q", len(data)) + data
