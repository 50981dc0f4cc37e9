"""What the SQLite store keeps when processes die, disks fill and bytes rot."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

import feilun
from feilun.errors import Conflict, Damaged, StoreError
from feilun.ports import Head
from feilun.records import Call
from feilun.store import SqlStore, open_store
from feilun.store.rows import Row, to_row
from feilun.store.writer import Writer
from feilun.testing.contracts_store import a_call, an_audit

APPENDER = """
import os, sys, threading
from feilun.store import open_store
from feilun.testing.contracts_store import a_call, an_audit

folder, run = sys.argv[1:]
store = open_store(folder)

def append_for_ever(thread):
    n = 0
    while True:
        pair = f"{run}-{thread}-{n}"
        store.append(a_call(pair + "a"), a_call(pair + "b", input="x" * 3000))
        os.write(1, f"{pair}\\n".encode())  # only what is durable is said
        n += 1

for thread in range(3):
    threading.Thread(target=append_for_ever, args=[thread]).start()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(tmp_path)
    yield store
    store.close()


def ids(store: SqlStore) -> list[str]:
    return [call.id for call in store.read(Call)]


def test_a_killed_process_loses_nothing_that_it_was_told_is_durable(tmp_path: Path) -> None:
    told: set[str] = set()
    for run, patience in enumerate([1, 40, 7, 150]):
        command = [sys.executable, "-c", APPENDER, str(tmp_path), str(run)]
        source = str(Path(feilun.__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": source}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            told |= {process.stdout.readline().strip() for _ in range(patience)}
            process.kill()
            told |= set(process.stdout.read().split())
        with closing(open_store(tmp_path)) as store:
            stored = set(ids(store))
        halves = {id[:-1] for id in stored}
        assert told <= halves
        assert stored == {half + end for half in halves for end in "ab"}
        assert len(halves) <= len(told) + 3 * (run + 1)  # one in flight for each thread


@pytest.mark.parametrize("harm", ["cut off", "overwritten", "one byte flipped"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.77, 0.99, 1.0])
def test_a_torn_write_ahead_log_opens_as_a_prefix_of_whole_appends(
    tmp_path: Path, harm: str, part: float
) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    _append_pairs(whole, "early", 10)  # closing moves these into the database file
    with closing(open_store(whole)) as store:
        for n in range(30):
            store.append(a_call(f"late{n}a"), a_call(f"late{n}b"))
        shutil.copytree(whole, torn)
        expected = ids(store)
    wal = torn / "feilun.db-wal"
    data = wal.read_bytes()
    at = int(part * (len(data) - 1))
    wal.write_bytes(
        {
            "cut off": data[:at],
            "overwritten": data[:at] + b"\x5a" * 10_000,
            "one byte flipped": data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
        }[harm]
    )
    with closing(open_store(torn)) as store:
        found = ids(store)
        assert found == expected[: len(found)]
        assert len(found) % 2 == 0
        assert len(found) >= 20
        store.append(a_call("after"))
        assert ids(store) == [*found, "after"]


def test_of_sixty_torn_write_ahead_logs_each_opens_as_a_whole_chain(tmp_path: Path) -> None:
    """Cut at random, half of them with garbage behind the cut."""
    chance = random.Random(60)  # noqa: S311 - no secret
    whole = tmp_path / "whole"
    heads: set[Head] = set()
    with closing(open_store(whole)) as store:
        for n in range(30):
            store.append(a_call(f"{n}a"), a_call(f"{n}b"))
            heads.add(store.head())
        wal = (whole / "feilun.db-wal").read_bytes()
        file = (whole / "feilun.db").read_bytes()
    for n in range(60):
        torn = tmp_path / f"{n}"
        torn.mkdir()
        (torn / "feilun.db").write_bytes(file)
        cut = wal[: chance.randrange(len(wal) // 2, len(wal))]
        (torn / "feilun.db-wal").write_bytes(cut + chance.randbytes(5000) * (n % 2))
        with closing(open_store(torn)) as store:
            assert list(store.check()) == []
            assert store.head() in heads


@pytest.mark.parametrize("byte", [b"y", b"\xff", b"\0"])
def test_a_flipped_byte_in_a_row_is_reported_with_the_name_of_the_row(
    tmp_path: Path, byte: bytes
) -> None:
    with closing(open_store(tmp_path)) as store:
        store.append(a_call("1"), a_call("2", input="x-marks-the-spot"), a_call("3"))
    file = tmp_path / "feilun.db"
    file.write_bytes(file.read_bytes().replace(b"x-marks", byte + b"-marks"))
    with closing(open_store(tmp_path)) as store:
        with pytest.raises(Damaged, match=r"call '2' \(log row 2\)"):
            store.get(Call, "2")
        with pytest.raises(Damaged, match=r"call '2' \(log row 2\)"):
            ids(store)
        assert store.get(Call, "3") == a_call("3")


def test_a_page_that_sqlite_cannot_read_is_damage_with_a_way_out(tmp_path: Path) -> None:
    _append_pairs(tmp_path, "pair", 100)
    file = tmp_path / "feilun.db"
    data = file.read_bytes()
    file.write_bytes(data[: 5 * 4096] + b"\x5a" * (len(data) - 5 * 4096))
    with (
        closing(open_store(tmp_path)) as store,
        pytest.raises(Damaged, match=r"sqlite3 feilun.db .recover \| sqlite3 recovered.db"),
    ):
        ids(store)


def test_a_full_disk_refuses_the_append_and_keeps_what_was_there(store: SqlStore) -> None:
    store.append(a_call("1"))
    limit = _limit_pages(store, spare=10)
    with pytest.raises(StoreError, match=r"feilun.db has no room left .* Free some space"):
        store.append(a_call("2"), a_call("3", input="x" * 1_000_000))
    assert ids(store) == ["1"]
    limit.clear()
    store.append(a_call("2"), a_call("3", input="x" * 1_000_000))
    assert ids(store) == ["1", "2", "3"]


def test_an_append_that_finds_no_room_does_not_fail_its_neighbours(store: SqlStore) -> None:
    _limit_pages(store, spare=20)
    start = threading.Barrier(8)

    def append(n: int) -> bool:
        start.wait()
        try:
            store.append(a_call(f"{n}", input="x" * (1_000_000 if n == 3 else 10)))
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(append, range(8))) == [n != 3 for n in range(8)]
    assert sorted(ids(store)) == list("0124567")


def test_appends_of_eight_threads_share_commits(store: SqlStore) -> None:
    transactions: list[object] = []
    event.listen(store.engine, "checkout", lambda *taken: transactions.append(taken))

    def append(thread: int) -> None:
        for n in range(50):
            store.append(a_call(f"{thread}-{n}"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(append, range(8)))
    assert 0 < len(transactions) < 400
    assert len(ids(store)) == 400


def test_a_group_that_fails_is_written_again_batch_by_batch() -> None:
    kept: list[Row] = []

    def write(batches: Sequence[Sequence[Row]]) -> list[Conflict | None]:
        if any(row.id == "bad" for batch in batches for row in batch):
            raise StoreError("the transaction failed")
        kept.extend(row for batch in batches for row in batch)
        return [Conflict("used") if batch[0].id == "used" else None for batch in batches]

    def append(id: str) -> type[Exception] | None:
        try:
            writer.append([to_row(a_call(id))])
        except StoreError as error:
            return type(error)
        return None

    with closing(Writer(write)) as writer, ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(append, ["1", "bad", "2", "used", "bad", "3"]))
    assert outcomes == [None, StoreError, None, Conflict, StoreError, None]
    assert {row.id for row in kept} == {"1", "2", "3", "used"}


def test_a_database_that_another_process_holds_is_waited_for(store: SqlStore) -> None:
    file = store.engine.url.database
    with (
        closing(sqlite3.connect(str(file), isolation_level=None)) as other,
        ThreadPoolExecutor(1) as thread,
    ):
        other.execute("BEGIN IMMEDIATE")
        appended = thread.submit(store.append, a_call("1"))
        assert ids(store) == []  # readers do not wait
        assert not appended.done()
        other.execute("COMMIT")
        appended.result()
    assert ids(store) == ["1"]


def test_every_statement_finds_its_rows_by_an_index(store: SqlStore) -> None:
    store.append(*[a_call(f"{n}") for n in range(300)])
    plans: list[str] = []

    def explain(
        connection: Connection, _cursor: object, statement: str, parameters: Any, *_rest: object
    ) -> None:
        if " log" in statement and not statement.startswith("INSERT"):
            rows = connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in rows)

    event.listen(store.engine, "before_cursor_execute", explain)
    store.append(a_call("x"), an_audit("x", call="x"))
    store.append(*[a_call(f"{n}") for n in range(600)])
    store.get(Call, "x")
    list(store.read(Call))
    list(store.read(Call, task="triage"))
    assert len(plans) > 8
    assert not [plan for plan in plans if "SCAN" in plan or "TEMP B-TREE" in plan]
    assert all("(kind=? AND " in plan for plan in plans if "USING" in plan)


def _append_pairs(folder: Path, name: str, pairs: int) -> None:
    with closing(open_store(folder)) as store:
        for n in range(pairs):
            store.append(a_call(f"{name}{n}a"), a_call(f"{name}{n}b"))


def _limit_pages(store: SqlStore, spare: int) -> list[int]:
    """Leave the database room for so many more pages, until the returned list is cleared."""
    limit: list[int] = []

    def apply(connection: sqlite3.Connection, *_rest: object) -> None:
        pages = limit[0] if limit else 2**30
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with store.engine.connect() as connection:
        limit.append(connection.exec_driver_sql("PRAGMA page_count").scalar_one() + spare)
    event.listen(store.engine, "checkout", apply)
    return limit
