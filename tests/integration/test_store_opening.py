"""What `open_store` makes, what it refuses, and that it harms nothing by looking."""

import os
import shutil
import sqlite3
import subprocess
import sys
import traceback
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import feilun
from feilun.errors import Damaged, StoreError
from feilun.records import Call
from feilun.store import open_store, schema
from feilun.testing.contracts_store import a_call

OPENER = """
import sys
from feilun.store import open_store
from feilun.testing.contracts_store import a_call

for line in sys.stdin:
    store = open_store(line.strip())
    store.append(a_call(sys.argv[1]))
    store.close()
    print("done", flush=True)
"""


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def fill(folder: Path, records: int = 100) -> Path:
    with closing(open_store(folder)) as store:
        store.append(*[a_call(f"{n}", input="x" * 500) for n in range(records)])
    return folder / "feilun.db"


def test_a_new_store_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "home"
    with closing(open_store(folder)) as store:
        store.append(a_call("1"))
        address = store.put(b"weights")
        blob = folder / "blobs" / address[:2] / address
        modes = {path: path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}
    assert modes[folder] == modes[blob.parent] == 0o700
    assert modes[blob] == modes[folder / "feilun.db"] == modes[folder / "feilun.db-wal"] == 0o600


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "50% off? #1 数据"
    fill(folder)
    with closing(open_store(str(folder))) as store:
        assert len(list(store.read(Call))) == 100


def test_many_processes_may_open_a_new_store_at_the_same_moment(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(feilun.__file__).parents[1])}
    rounds = 12
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", OPENER, str(n)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=environment,
                )
            )
            for n in range(3)
        ]
        for number in range(rounds):
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(f"{tmp_path / str(number)}\n")
                process.stdin.flush()
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "done\n"
    for number in range(rounds):
        with closing(open_store(tmp_path / str(number))) as store:
            assert {call.id for call in store.read(Call)} == {"0", "1", "2"}


@pytest.mark.parametrize("keep", [0, 50, 3000, 4096, 20_000, 40_960, -1])
def test_a_cut_off_file_is_refused_and_left_as_it_is(tmp_path: Path, keep: int) -> None:
    file = fill(tmp_path)
    file.write_bytes(file.read_bytes()[:keep])
    before = snapshot(tmp_path)
    with pytest.raises(Damaged) as refused:
        open_store(tmp_path)
    assert str(file) in str(refused.value)
    assert "sqlite3 feilun.db .recover | sqlite3 recovered.db" in str(refused.value)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("keep", [0, 8192, -4096])
def test_a_write_ahead_log_does_not_excuse_the_pages_that_it_lacks(
    tmp_path: Path, keep: int
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    fill(whole)
    with closing(open_store(whole)) as store:
        store.append(a_call("late"))
        shutil.copytree(whole, cut)
    file = cut / "feilun.db"
    file.write_bytes(file.read_bytes()[:keep])
    before = snapshot(cut)
    with pytest.raises(Damaged, match="Nothing was changed"):
        open_store(cut)
    after = snapshot(cut)
    for name in ("feilun.db", "feilun.db-wal"):
        assert after[name] == before[name]


def test_a_file_that_its_write_ahead_log_completes_is_opened(tmp_path: Path) -> None:
    """A process was killed while it moved the log into the file: page 1 came first."""
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    with closing(open_store(whole)) as store:
        store.append(*[a_call(f"{n}", input="x" * 500) for n in range(100)])
        shutil.copytree(whole, torn)
    moved, file = (whole / "feilun.db").read_bytes(), torn / "feilun.db"
    file.write_bytes(moved[:4096] + file.read_bytes()[4096:])
    assert file.stat().st_size < len(moved)
    with closing(open_store(torn)) as store:
        assert len(list(store.read(Call))) == 100


def test_what_an_opened_store_shows_no_longer_hangs_on_a_write_ahead_log(tmp_path: Path) -> None:
    """Its writer may have died before the disk confirmed it, and its repetition is no news."""
    whole, killed, file = tmp_path / "whole", tmp_path / "killed", tmp_path / "file"
    with closing(open_store(whole)) as store:
        store.append(a_call("1"))
        shutil.copytree(whole, killed)
    with closing(open_store(killed)):
        file.mkdir()
        shutil.copy(killed / "feilun.db", file)
    with closing(open_store(file)) as store:
        assert store.get(Call, "1") == a_call("1")


@pytest.mark.parametrize("content", [b"hello", b"id,label\n" * 2000], ids=["short", "long"])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "feilun.db"
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"feilun\.db is damaged or no database"):
        open_store(tmp_path)
    assert snapshot(tmp_path) == {"feilun.db": content}


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a Linux /proc")
@pytest.mark.parametrize("folder", ["/proc", "/proc/feilun", "/proc/version", "/proc/version/x"])
def test_a_folder_that_cannot_be_written_to_is_refused_by_name(folder: str) -> None:
    with pytest.raises(StoreError, match=f"{folder}.*Name one that you may write to"):
        open_store(folder)


def test_a_folder_for_blobs_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(StoreError, match="taken/blobs for blobs cannot be made"):
        open_store(tmp_path, blobs=tmp_path / "taken" / "blobs")


def test_a_store_of_a_newer_feilun_asks_for_an_upgrade(tmp_path: Path) -> None:
    file = fill(tmp_path)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")  # noqa: S608
        connection.commit()
    before = file.read_bytes()
    with pytest.raises(StoreError, match="pip install --upgrade feilun"):
        open_store(tmp_path)
    assert file.read_bytes() == before


def test_the_migrations_lead_to_the_tables_that_the_code_expects(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store, store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE}
        )
        assert compare_metadata(context, schema.metadata) == []
        assert context.get_current_revision() == schema.HEAD
    assert ScriptDirectory(str(schema.MIGRATIONS)).get_heads() == [schema.HEAD]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@127.0.0.1:1/feilun",
        "postgresql+psycopg://me@127.0.0.1:1/feilun?password=hunter2",
        "postgresql://me:p@hunter2@127.0.0.1/feilun",
        "postgresql://me:hunter2@127.0.0.1:hunter2/feilun",
        "postgresql://me:/hunter2@127.0.0.1/feilun",
        "mysql://me:hunter2@127.0.0.1/feilun",
    ],
)
def test_a_url_that_fails_does_not_show_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreError) as refused:
        open_store(url, blobs=tmp_path)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_a_postgres_store_asks_for_a_folder_for_its_blobs() -> None:
    with pytest.raises(StoreError, match="a folder for its blobs"):
        open_store("postgresql://127.0.0.1/feilun")


def test_a_missing_driver_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'feilun\[postgres\]'"):
        open_store("postgresql://127.0.0.1/feilun", blobs=tmp_path)


def test_the_fakes_need_no_pytest() -> None:
    code = "import sys; sys.modules['pytest'] = None; import feilun.testing"
    environment = {**os.environ, "PYTHONPATH": str(Path(feilun.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
