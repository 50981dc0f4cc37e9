"""What a check of the log finds when single bits of its file flip, and when rows vanish."""

import json
import random
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from kiosk_log import said as said_of
from sqlalchemy import text

from feilun import cli
from feilun.errors import StoreError
from feilun.records import Audit, Call, Record
from feilun.store import open_store
from feilun.testing.contracts_store import a_call, an_audit

RECORDS = 300
FLIPS = 200
COLUMNS = ("kind", "id", "task", "at", "body", "digest", "chain")
PARTS = ("length", "seq", "header", *COLUMNS)


class Cell(NamedTuple):
    """A row as SQLite lays it out in its page: where each part begins, and how long it is."""

    seq: int
    parts: dict[str, tuple[int, int]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a closed store with some hundred records of two kinds and three tasks."""
    folder = tmp_path_factory.mktemp("whole")
    with closing(open_store(folder)) as store:
        for n in range(0, RECORDS, 2):
            call = a_call(f"{n:03}", task=f"task {n % 3}", input=f"a word {n}" * (n % 9), minutes=n)
            store.append(call, an_audit(f"{n:03}", call=call.id))
    return folder / "feilun.db"


@pytest.fixture(scope="module")
def cells(whole: Path) -> list[Cell]:
    """Where the rows lie in the file. A row that SQLite has split over two pages is left out."""
    data = whole.read_bytes()
    with closing(open_store(whole.parent)) as store, store.engine.connect() as connection:
        rows = connection.execute(text(f"SELECT seq, {','.join(COLUMNS)} FROM log")).all()  # noqa: S608
    found = [_locate(data, row.seq, [str(cell).encode() for cell in row[1:]]) for row in rows]
    assert len(found) == RECORDS
    return found


def test_a_flipped_bit_in_any_part_of_any_row_is_found_and_its_row_is_named(
    whole: Path, cells: Sequence[Cell], tmp_path: Path
) -> None:
    chance = random.Random(20261124)  # noqa: S311 - no secret
    for n in range(FLIPS):
        cell, part = chance.choice(cells), PARTS[n % len(PARTS)]
        start, length = cell.parts[part]
        bit = start * 8 + chance.randrange(length * 8)
        first, _ = _look(_flipped(whole, bit, tmp_path / str(n)))
        assert first is not None, (part, bit)
        if part in COLUMNS:
            assert first == str(cell.seq), (part, bit)


def test_a_flipped_bit_anywhere_in_the_file_is_found_or_changes_nothing_that_is_read(
    whole: Path, tmp_path: Path
) -> None:
    chance = random.Random(20261125)  # noqa: S311 - no secret
    expected = _look(_flipped(whole, None, tmp_path / "whole"))
    assert expected[0] is None
    found = 0
    for n in range(FLIPS):
        bit = chance.randrange(whole.stat().st_size * 8)
        first, read = _look(_flipped(whole, bit, tmp_path / str(n)))
        assert first is not None or read == expected[1], bit
        found += first is not None
    assert found > FLIPS * 0.6  # the others hit bytes that nothing uses: 53 of 200


def test_the_command_prints_a_head_and_misses_the_rows_after_it_when_they_are_cut_off(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "books"
    with closing(open_store(folder)) as store:
        store.append(*[said_of(f"{n:03}", "rejected", n) for n in range(RECORDS)])

    def verify(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["feilun", "verify", "--store", str(folder), *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    code, said, _ = verify()
    head = re.search(r"The log is whole\. Its head: (300:[0-9a-f]{64})\n", said)
    assert code == 0
    assert head is not None
    assert json.loads(verify("--json")[1])["head"] == head[1]
    assert verify("--head", head[1])[0] == 0
    with closing(open_store(folder)) as store, store.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER log_never_DELETE"))
        connection.execute(text("DELETE FROM log WHERE seq > 290"))
    assert verify()[0] == 0  # the chain alone cannot know
    code, said, _ = verify("--head", head[1])
    assert code == 1
    assert "the log ends at row 290" in said
    assert "The log is whole" not in said
    code, _, said = verify("--head", "300:abc")
    assert code == 2
    assert "Write SEQ:HEX" in said


def _look(folder: Path) -> tuple[str | None, list[Record] | None]:
    """The number of the first row that a check names ("" for the file itself), and all records."""
    try:
        with closing(open_store(folder)) as store:
            for flaw in store.check():
                return str(flaw.seq), None
            kinds: tuple[type[Record], ...] = (Call, Audit)
            return None, [record for kind in kinds for record in store.read(kind)]
    except StoreError:
        return "", None
    finally:
        shutil.rmtree(folder)


def _flipped(whole: Path, bit: int | None, folder: Path) -> Path:
    data = bytearray(whole.read_bytes())
    if bit is not None:
        data[bit // 8] ^= 1 << bit % 8
    folder.mkdir()
    (folder / "feilun.db").write_bytes(data)
    return folder


def _locate(data: bytes, seq: int, columns: Sequence[bytes]) -> Cell:
    """https://www.sqlite.org/fileformat2.html#record_format: lengths, types, then the texts."""
    types = b"\0" + b"".join(_varint(13 + 2 * len(column)) for column in columns)
    header = _varint(len(types) + 1) + types
    length = _varint(len(header) + sum(map(len, columns)))
    pieces = [length, _varint(seq), header, *columns]
    at = data.index(b"".join(pieces))
    return Cell(
        seq, dict(zip(("length", "seq", "header", *COLUMNS), _spans(at, pieces), strict=True))
    )


def _spans(at: int, pieces: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    for piece in pieces:
        yield at, len(piece)
        at += len(piece)


def _varint(value: int) -> bytes:
    low = bytes([value & 127])
    return low if value < 128 else bytes([value >> 7 & 127 | 128]) + low
