"""From a file to its lines of text, whatever the encoding. Holds one line at a time."""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import AnyStr

from feilun.appraise.row import Broken
from feilun.errors import InputError

MOST = 1 << 20  # bytes of a line, and of a row: a chat of 200,000 words
_SAMPLE = 1 << 16
_CHUNK = 1 << 16

_MAGIC = {
    b"\x1f\x8b": "is compressed: unpack it first, as in `gunzip -k FILE`",
    b"PK\x03\x04": "is a ZIP file or a workbook: save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "is an old workbook: save the sheet as CSV (UTF-8)",
    b"PAR1": "is Parquet: write it as JSONL or CSV first",
    b"SQLite format 3": "is an SQLite file: export the table as CSV",
    b"%PDF": "is a PDF: give the log itself, as JSONL or CSV",
    b"BZh": "is compressed: unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed: unpack it first",
    b"\xfd7zXZ": "is compressed: unpack it first",
}

# What text without a byte order mark must be made of to be taken for UTF-16.
_USUAL = re.compile("[\t\n\r -~\u00a0-\u024f\u2000-\u206f\u3000-\u9fff\uff00-\uffef]+")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and its number, from 1."""

    number: int
    text: str


Seen = Callable[[int], None]
"""Called with the number of bytes read so far."""


def sample(path: Path) -> bytes:
    """The first bytes of a file. Raises InputError where it is no readable text."""
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder. Give one file of it.")
        with path.open("rb") as file:
            start = file.read(_SAMPLE)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read ({said}). Check the path.") from error
    if not start.strip():
        raise InputError(f"{path}: is empty. Give a log in JSONL or CSV.")
    for magic, advice in _MAGIC.items():
        if start.startswith(magic):
            raise InputError(f"{path}: {advice}.")
    wide = encoding(start).startswith("utf-16")
    control = sum(start.count(byte) for byte in (0, 1, 2, 3, 4, 5, 6, 7, 14, 15, 16, 17, 18))
    if not wide and control > max(8, len(start) // 50):
        raise InputError(f"{path}: is not text. Give a log in JSONL or CSV.")
    return start


def encoding(start: bytes) -> str:
    """`utf-16-le`, `utf-16-be`, or `utf-8` (where a line may also be GB18030)."""
    if start.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if start.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    if b"\0" in start:
        for name in ("utf-16-le", "utf-16-be"):
            if _USUAL.fullmatch(start.decode(name, "ignore")):
                return name
    return "utf-8"


def lines(path: Path, form: str, seen: Seen | None = None) -> Iterator[Line | Broken]:
    """The lines of a file in the encoding `form`; a line over 1 MiB or of bad bytes is broken."""
    try:
        with path.open("rb") as file:
            chunks = iter(lambda: _counted(file.read(_CHUNK), seen), b"")
            if form == "utf-8":
                yield from _utf8(chunks)
            else:
                yield from _utf16(chunks, form)
    except OSError as error:
        raise InputError(f"{path}: cannot be read to its end ({error.strerror}).") from error


def _counted(chunk: bytes, seen: Seen | None) -> bytes:
    if seen:
        seen(len(chunk))
    return chunk


def _utf8(chunks: Iterator[bytes]) -> Iterator[Line | Broken]:
    for number, raw in enumerate(_split(chunks, b"\n", b"", MOST), start=1):
        if raw is None:
            yield Broken(number, "too_large")
            continue
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        text = _decoded(raw.rstrip(b"\r"))
        yield Broken(number, "encoding") if text is None else _line(number, text)


def _utf16(chunks: Iterator[bytes], form: str) -> Iterator[Line | Broken]:
    decoder = codecs.getincrementaldecoder(form)(errors="replace")
    texts = (decoder.decode(chunk) for chunk in chunks)
    for number, text in enumerate(_split(texts, "\n", "", MOST // 2), start=1):
        if text is None:
            yield Broken(number, "too_large")
        else:
            yield _line(number, text.removeprefix("\ufeff").rstrip("\r"))


def _line(number: int, text: str) -> Line | Broken:
    return Broken(number, "nul") if "\0" in text else Line(number, text)


def _decoded(raw: bytes) -> str | None:
    for form in ("utf-8", "gb18030"):
        try:
            return raw.decode(form)
        except UnicodeDecodeError:
            continue
    return None


def _split(
    chunks: Iterator[AnyStr], end: AnyStr, nothing: AnyStr, most: int
) -> Iterator[AnyStr | None]:
    """Cut a stream at line ends; None for a line longer than `most`, which is let go."""
    held: AnyStr = nothing
    dropping = False
    for chunk in chunks:
        parts: list[AnyStr] = chunk.split(end)
        parts[0] = held + parts[0]
        for line in parts[:-1]:
            yield None if dropping or len(line) > most else line
            dropping = False
        held = parts[-1]
        if len(held) > most:
            held, dropping = nothing, True
    if dropping:
        yield None
    elif held:
        yield held
