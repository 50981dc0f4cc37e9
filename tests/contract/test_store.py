"""All stores keep one contract: the fake, SQLite and PostgreSQL."""

import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, make_url, text

pytest.register_assert_rewrite("feilun.testing.contracts_store")

from feilun.errors import Conflict, StoreError  # noqa: E402 - the suite must be registered first
from feilun.ports import Store  # noqa: E402
from feilun.records import Call, Record  # noqa: E402
from feilun.store import SqlStore, open_store  # noqa: E402
from feilun.store.engines import (  # noqa: E402
    postgres_engine,
    sqlite_engine,
    sqlite_place,
    writing,
)
from feilun.store.pen import insert  # noqa: E402
from feilun.store.rows import to_row  # noqa: E402
from feilun.store.schema import MIGRATIONS  # noqa: E402
from feilun.store.sqlite_file import ready_file  # noqa: E402
from feilun.testing import MemoryStore  # noqa: E402
from feilun.testing.contracts_store import StoreContract, a_call  # noqa: E402

POSTGRES = os.environ.get("FEILUN_TEST_POSTGRES")

needs_postgres = pytest.mark.skipif(
    POSTGRES is None,
    reason='needs a PostgreSQL server; for a throw-away one run: eval "$(.ci/postgres.sh)"',
)

INSERT_V1 = (
    "INSERT INTO log (seq, kind, id, task, at, body, digest)"
    " VALUES (:seq, :kind, :id, :task, :at, :body, :digest)"
)

# A trigger that writes down what holds in the transaction of an append.
OVERHEAR = (
    "CREATE TABLE heard (said TEXT)",
    "CREATE FUNCTION overhear() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " INSERT INTO heard SELECT current_setting('synchronous_commit'); RETURN NULL; END $$",
    "CREATE TRIGGER overhear AFTER INSERT ON log EXECUTE FUNCTION overhear()",
)


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of an empty schema of its own."""
    assert POSTGRES is not None
    schema = f"t_{secrets.token_hex(8)}"
    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {schema}")
    yield f"{POSTGRES}{'&' if '?' in POSTGRES else '?'}options=-csearch_path%3D{schema}"
    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        admin.execute(f"DROP SCHEMA {schema} CASCADE")


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[MemoryStore]:
        store = MemoryStore()
        yield store
        store.close()

    @pytest.fixture
    def spoil(self, store: MemoryStore) -> Callable[[Record], None]:
        return store.spoil

    @pytest.fixture
    def take_out(self, store: MemoryStore) -> Callable[[Record], None]:
        return store.take_out

    @pytest.fixture
    def spoil_blob(self, store: MemoryStore) -> Callable[[str], None]:
        return store.spoil_blob


class SqlStoreContract(StoreContract):
    """What both databases share."""

    unguard: tuple[str, ...]  # what someone runs who wants to edit the past

    @pytest.fixture
    def open_again(self) -> Callable[[], SqlStore]:
        """Opens another store at the place of `store`, as another process would."""
        raise NotImplementedError

    @pytest.fixture
    def edit(self, store: SqlStore) -> Callable[..., None]:
        """Runs statements behind the back of the store, without its guards."""

        def edit(*statements: str, **values: str) -> None:
            with store.engine.begin() as connection:
                for statement in (*self.unguard, *statements):
                    connection.execute(text(statement), values)

        return edit

    @pytest.fixture
    def spoil(self, edit: Callable[..., None]) -> Callable[[Record], None]:
        change = "UPDATE log SET body = body || ' ' WHERE kind = :kind AND id = :id"
        return lambda record: edit(change, kind=record.kind, id=record.id)

    @pytest.fixture
    def take_out(self, edit: Callable[..., None]) -> Callable[[Record], None]:
        change = "DELETE FROM log WHERE kind = :kind AND id = :id"
        return lambda record: edit(change, kind=record.kind, id=record.id)

    @pytest.fixture
    def spoil_blob(self, tmp_path: Path) -> Callable[[str], None]:
        def spoil(digest: str) -> None:
            (tmp_path / "blobs" / digest[:2] / digest).write_bytes(b"other")

        return spoil

    @pytest.mark.parametrize("change", ["UPDATE log SET task = 'other'", "DELETE FROM log"])
    def test_the_database_itself_refuses_to_change_the_log(
        self, store: SqlStore, change: str
    ) -> None:
        store.append(a_call("1"))
        with (
            pytest.raises(Exception, match="the log is append-only"),
            store.engine.begin() as connection,
        ):
            connection.execute(text(change))
        assert store.get(Call, "1") == a_call("1")

    def test_what_was_stored_is_there_after_opening_again(
        self, store: SqlStore, open_again: Callable[[], SqlStore]
    ) -> None:
        call = a_call("1")
        store.append(call)
        blob = store.put(b"weights")
        store.close()
        with closing(open_again()) as later:
            assert list(later.read(Call)) == [call]
            assert later.fetch(blob) == b"weights"

    def test_a_reader_never_sees_a_row_before_the_rows_that_precede_it(
        self, store: SqlStore, open_again: Callable[[], SqlStore]
    ) -> None:
        def append(writer: SqlStore, name: str) -> None:
            for n in range(30):
                writer.append(a_call(f"{name}{n}"), a_call(f"{name}{n}+"))

        seen = []
        with closing(open_again()) as other, ThreadPoolExecutor(4) as threads:
            jobs = [
                threads.submit(append, writer, name)
                for name, writer in {"a": store, "b": other, "c": store, "d": other}.items()
            ]
            while not all(job.done() for job in jobs):
                seen.append([call.id for call in store.read(Call)])
            for job in jobs:
                job.result()
        last = [call.id for call in store.read(Call)]
        assert len(last) == 240
        assert all(snapshot == last[: len(snapshot)] for snapshot in seen)

    def test_an_id_is_unique_over_all_processes(
        self, store: SqlStore, open_again: Callable[[], SqlStore]
    ) -> None:
        store.append(a_call("1"))
        with closing(open_again()) as other:
            other.append(a_call("1"))
            with pytest.raises(Conflict):
                other.append(a_call("1", input="other"))

    @pytest.mark.parametrize("column", ["id", "task"])
    def test_a_row_that_is_filed_wrongly_is_damaged(
        self, store: SqlStore, edit: Callable[..., None], column: str
    ) -> None:
        store.append(a_call("1"))
        edit(f"UPDATE log SET {column} = 'other'")  # noqa: S608
        with pytest.raises(StoreError, match="filed under another id or task"):
            list(store.read(Call))

    @pytest.mark.parametrize(
        "change",
        [
            "seq = 30", "kind = 'audit'", "id = 'other'", "task = 'other'", "body = '{}'",
            "at = '2026-03-01 12:00:00.000001+00:00'", "digest = 'other'", "chain = 'other'",
        ],
    )  # fmt: skip
    def test_a_cell_that_was_changed_is_named_with_its_row(
        self, store: SqlStore, edit: Callable[..., None], change: str
    ) -> None:
        """Once: the rows around it are sound. A new number moves a row, so the next shows too."""
        store.append(*[a_call(f"{n}") for n in range(1, 30)])
        edit(f"UPDATE log SET {change} WHERE seq = 7")  # noqa: S608
        found = [flaw.seq for flaw in store.check()]
        assert found == ([8, 30] if change == "seq = 30" else [7])

    def test_rows_that_changed_places_are_named(
        self, store: SqlStore, edit: Callable[..., None]
    ) -> None:
        store.append(*[a_call(f"{n}") for n in range(1, 10)])
        swaps = [(3, 99), (4, 3), (99, 4)]
        edit(*[f"UPDATE log SET seq = {new} WHERE seq = {old}" for old, new in swaps])  # noqa: S608
        assert next(store.check()).seq == 3

    def test_a_row_that_was_put_in_is_named(
        self, store: SqlStore, edit: Callable[..., None]
    ) -> None:
        store.append(a_call("1"), a_call("2"), a_call("4"))
        forged = to_row(a_call("3"))
        edit(
            "UPDATE log SET seq = 4 WHERE seq = 3",
            "INSERT INTO log SELECT 3, kind, :id, task, at, :body, :digest, chain FROM log"
            " WHERE seq = 2",
            id="3", body=forged.body, digest=forged.digest,
        )  # fmt: skip
        first = next(store.check())
        assert (first.seq, first.id) == (3, "3")

    def test_a_check_does_not_see_what_is_appended_meanwhile(self, store: SqlStore) -> None:
        store.append(*[a_call(f"{n}") for n in range(300)])
        told: list[tuple[int, int]] = []
        checking = store.check(progress=lambda done, total: told.append((done, total)))
        store.append(*[a_call(f"{n}") for n in range(300, 600)])
        assert list(checking) == []
        assert told[-1] == (300, 300)

    def test_an_older_log_is_chained_when_it_is_opened(
        self, old: Engine, open_again: Callable[[], SqlStore]
    ) -> None:
        calls = [a_call(f"{n}", minutes=n) for n in range(1, 2501)]
        with writing(old) as connection:
            _make_v1(connection)
            rows = [to_row(call)._asdict() for call in calls]
            for n, row in enumerate(rows, start=1):
                row["seq"] = n if n < 1000 else n + 5  # PostgreSQL skipped numbers on errors
            connection.execute(text(INSERT_V1), rows)
        old.dispose()
        with closing(open_again()) as store:
            assert list(store.read(Call)) == calls
            assert list(store.check()) == []
            assert store.head().seq == 2505
            store.append(a_call("after"))
            assert list(store.check()) == []
            assert store.head().seq == 2506
            with (
                pytest.raises(Exception, match="the log is append-only"),
                store.engine.begin() as connection,
            ):
                connection.execute(text("UPDATE log SET chain = 'other'"))
            with (
                pytest.raises(Exception, match=r"(?i)not.null|null value"),
                store.engine.begin() as connection,
            ):
                connection.execute(text(INSERT_V1), {**rows[0], "seq": 3000, "id": "unchained"})


class TestSqlite(SqlStoreContract):
    unguard = ("DROP TRIGGER log_never_UPDATE", "DROP TRIGGER log_never_DELETE")

    @pytest.fixture
    def old(self, tmp_path: Path) -> Engine:
        ready_file(tmp_path / "feilun.db", sqlite_place(tmp_path / "feilun.db"))
        return sqlite_engine(tmp_path / "feilun.db")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = open_store(tmp_path)
        yield store
        store.close()

    @pytest.fixture
    def open_again(self, tmp_path: Path) -> Callable[[], SqlStore]:
        return partial(open_store, tmp_path)


@needs_postgres
class TestPostgres(SqlStoreContract):
    unguard = ("DROP TRIGGER log_never_changes ON log",)

    @pytest.fixture
    def old(self, postgres: str) -> Engine:
        engine, _ = postgres_engine(postgres)
        return engine

    @pytest.fixture
    def store(self, tmp_path: Path, postgres: str) -> Iterator[Store]:
        store = open_store(postgres, blobs=tmp_path / "blobs")
        yield store
        store.close()

    @pytest.fixture
    def open_again(self, postgres: str, tmp_path: Path) -> Callable[[], SqlStore]:
        return partial(open_store, postgres, blobs=tmp_path / "blobs")

    def test_a_writer_waits_for_the_writer_that_drew_its_numbers_first(
        self, store: SqlStore, open_again: Callable[[], SqlStore]
    ) -> None:
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        with closing(open_again()) as other, ThreadPoolExecutor(1) as thread:
            with writing(other.engine) as connection:
                insert(connection.connection.cursor(), "postgresql", [to_row(a_call("first"))])
                appended = thread.submit(store.append, a_call("second"))
                while not (appended.done() or connection.execute(waiting).scalar_one()):
                    pass
                assert not appended.done()
            appended.result()
        assert [call.id for call in store.read(Call)] == ["first", "second"]

    def test_a_lost_connection_is_made_again(self, store: SqlStore) -> None:
        store.append(a_call("1"))
        _cut_connections()
        store.append(a_call("2"))
        _cut_connections()
        assert [call.id for call in store.read(Call)] == ["1", "2"]

    def test_a_server_that_confirms_before_the_disk_does_is_told_not_to(
        self, postgres: str, tmp_path: Path
    ) -> None:
        careless = f"{postgres}%20-csynchronous_commit%3Doff"
        with closing(open_store(careless, blobs=tmp_path)) as store:
            with store.engine.begin() as connection:
                for statement in OVERHEAR:
                    connection.exec_driver_sql(statement)
            store.append(a_call("1"))
            with store.engine.begin() as connection:
                said = connection.execute(text("SELECT said FROM heard")).scalars().all()
        assert said == ["on"]

    def test_a_database_that_cannot_hold_all_text_is_refused(self, tmp_path: Path) -> None:
        assert POSTGRES is not None
        name = f"t_{secrets.token_hex(8)}"
        with psycopg.connect(POSTGRES, autocommit=True) as admin:
            admin.execute(
                f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'"
                " LC_COLLATE 'C' LC_CTYPE 'C'"
            )
            url = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
            try:
                with pytest.raises(StoreError, match="ENCODING 'UTF8'"):
                    open_store(url, blobs=tmp_path)
            finally:
                admin.execute(f"DROP DATABASE {name}")


def _make_v1(connection: Connection) -> None:
    """The tables of the first feilun."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def _cut_connections() -> None:
    assert POSTGRES is not None
    with psycopg.connect(POSTGRES) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            " AND usename = current_user"
        )
