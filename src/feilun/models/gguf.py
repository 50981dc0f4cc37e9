"""What a GGUF file says of its model, read from its head: what a context of it costs in memory.

Only sizes are read, a few hundred bytes in most files; the weights are never touched. The file
may come from anywhere: every length in it is bounded before it is believed.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from feilun.errors import BrokenReply

_MAGIC = b"GGUF"
_LONGEST = 1 << 24  # bytes of a string; a chat template has some thousands
_MOST = 1 << 24  # values of an array; the largest vocabularies have 300,000
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_FORMATS[12] = "d"
_STRING, _ARRAY = 8, 9
_F16 = 2  # bytes of a cached value

Value = int | float | str | list[int]


@dataclass(frozen=True)
class Shape:
    """The sizes that decide what a token of context costs."""

    layers: int
    key_heads: int
    key_size: int
    value_size: int

    @property
    def token_bytes(self) -> int:
        """Bytes that one token takes in the cache of keys and values."""
        return self.layers * self.key_heads * (self.key_size + self.value_size) * _F16


def read_shape(path: Path) -> Shape | None:
    """The shape of a model, or None where its file does not say. Raises BrokenReply for no GGUF."""
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                raise BrokenReply(f"{path} is no GGUF file. Pull the model again, or another one.")
            return _shape(_head(file))
    except (OSError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise BrokenReply(
            f"{path} is no whole GGUF file: {error}. Run `feilun models verify`."
        ) from error


def _shape(head: Iterator[tuple[str, Value]]) -> Shape | None:
    found: dict[str, int] = {}
    for key, value in head:
        if key.startswith("tokenizer."):  # long, and behind what is wanted in every file seen
            break
        numbers = value if isinstance(value, list) else [value]
        whole = [number for number in numbers if isinstance(number, int)]
        if whole:  # layers may differ: the largest is on the safe side
            found[key.partition(".")[2]] = max(whole)
    with suppress(KeyError, ZeroDivisionError):
        heads = found["attention.head_count"]
        size = found["embedding_length"] // heads
        return Shape(
            layers=found["block_count"],
            key_heads=found.get("attention.head_count_kv", heads),
            key_size=found.get("attention.key_length", size),
            value_size=found.get("attention.value_length", size),
        )
    return None


def _head(file: BinaryIO) -> Iterator[tuple[str, Value]]:
    _number(file, "I")  # the format's version: 2 and 3 read the same
    _number(file, "Q")  # tensors
    for _ in range(_bounded(_number(file, "Q"), _MOST)):
        yield _text(file), _value(file, int(_number(file, "I")))


def _value(file: BinaryIO, kind: int) -> Value:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _number(file, _format(kind))
    inner = int(_number(file, "I"))
    count = _bounded(_number(file, "Q"), _MOST)
    if inner == _STRING:
        for _ in range(count):
            file.seek(_bounded(_number(file, "Q"), _LONGEST), 1)
        return []
    body = file.read(count * struct.calcsize("<" + _format(inner)))
    return [int(each) for each in struct.unpack(f"<{count}{_format(inner)}", body)]


def _text(file: BinaryIO) -> str:
    length = _bounded(_number(file, "Q"), _LONGEST)
    return file.read(length).decode("utf-8", "replace")


def _number(file: BinaryIO, form: str) -> int | float:
    value: int | float
    (value,) = struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))
    return value


def _format(kind: int) -> str:
    if kind not in _FORMATS:
        raise ValueError(f"it has a value of the unknown type {kind}")
    return _FORMATS[kind]


def _bounded(length: int | float, most: int) -> int:
    if length > most:
        raise ValueError(f"a length of {length} is beyond {most}")
    return int(length)
