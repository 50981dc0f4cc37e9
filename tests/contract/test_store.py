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
from sqlalchemy import Connection, event, insert, make_url, text

pytest.register_assert_rewrite("feilun.testing.contracts_store")

from feilun.errors import Conflict, StoreError  # noqa: E402 - the suite must be registered first
from feilun.ports import Store  # noqa: E402
from feilun.records import Call, Record  # noqa: E402
from feilun.store import SqlStore, open_store  # noqa: E402
from feilun.store.engines import writing  # noqa: E402
from feilun.store.rows import to_row  # noqa: E402
from feilun.store.schema import log  # noqa: E402
from feilun.testing import MemoryStore  # noqa: E402
from feilun.testing.contracts_store import StoreContract, a_call  # noqa: E402

POSTGRES = os.environ.get("FEILUN_TEST_POSTGRES")

needs_postgres = pytest.mark.skipif(
    POSTGRES is None,
    reason='needs a PostgreSQL server; for a throw-away one run: eval "$(.ci/postgres.sh)"',
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
    def spoil_blob(self, store: MemoryStore) -> Callable[[str], None]:
        return store.spoil_blob


class SqlStoreContract(StoreContract):
    """What both databases share."""

    drop_trigger: str

    @pytest.fixture
    def open_again(self) -> Callable[[], SqlStore]:
        """Opens another store at the place of `store`, as another process would."""
        raise NotImplementedError

    @pytest.fixture
    def spoil(self, store: SqlStore) -> Callable[[Record], None]:
        def spoil(record: Record) -> None:
            with store.engine.begin() as connection:
                connection.execute(text(self.drop_trigger))
                connection.execute(
                    text("UPDATE log SET body = body || ' ' WHERE kind = :kind AND id = :id"),
                    {"kind": record.kind, "id": record.id},
                )

        return spoil

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
    def test_a_row_that_is_filed_wrongly_is_damaged(self, store: SqlStore, column: str) -> None:
        store.append(a_call("1"))
        with store.engine.begin() as connection:
            connection.execute(text(self.drop_trigger))
            connection.execute(text(f"UPDATE log SET {column} = 'other'"))  # noqa: S608
        with pytest.raises(StoreError, match="filed under another id or task"):
            list(store.read(Call))


class TestSqlite(SqlStoreContract):
    drop_trigger = "DROP TRIGGER log_never_UPDATE"

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
    drop_trigger = "DROP TRIGGER log_never_changes ON log"

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
                connection.execute(insert(log), to_row(a_call("first"))._asdict())
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
        said = []
        careless = f"{postgres}%20-csynchronous_commit%3Doff"
        with closing(open_store(careless, blobs=tmp_path)) as store:

            def ask(connection: Connection) -> None:
                said.append(connection.execute(text("SHOW synchronous_commit")).scalar())

            event.listen(store.engine, "commit", ask)
            store.append(a_call("1"))
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


def _cut_connections() -> None:
    assert POSTGRES is not None
    with psycopg.connect(POSTGRES) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            " AND usename = current_user"
        )
