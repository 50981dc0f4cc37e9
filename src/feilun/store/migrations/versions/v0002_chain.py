"""The chain: each row seals the rows before it (see `feilun.store.chain`).

Old rows get theirs here, in the order of `seq`, as if they had always had it. The guards
that refuse changes are away for as long as this transaction, which is the only writer.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from feilun.store.chain import START, seal

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_GUARD = """
CREATE TRIGGER log_never_{verb} BEFORE {verb} ON log
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END
"""

# As blobs: SQLite's own texts reach a Python function only where they are whole.
_COPY = """
INSERT INTO log_chained (seq, kind, id, task, at, body, digest, chain)
SELECT seq, kind, id, task, at, body, digest, sealed(
    CAST(kind AS BLOB), CAST(id AS BLOB), CAST(task AS BLOB), CAST(at AS BLOB),
    CAST(digest AS BLOB), seq)
FROM log ORDER BY seq
"""

# What is held in memory on PostgreSQL: names and digests, not bodies.
_PAGE = 1000

_NEXT = """
SELECT kind, id, task, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), digest, seq
FROM log WHERE seq > %s ORDER BY seq LIMIT %s
"""

Sealer = Callable[[str, str, str, str, str, int], str]


def upgrade() -> None:
    """Add the column and fill it, as each database allows."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        _alter()


def _rebuild() -> None:
    """SQLite adds no column without a default: make the table anew and copy the rows."""
    op.create_table(
        "log_chained",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "id", name="log_kind_id"),
    )
    _copy(_sealer())
    op.drop_table("log")  # and its triggers and indexes with it
    op.rename_table("log_chained", "log")
    op.create_index("log_kind_seq", "log", ["kind", "seq"])
    op.create_index("log_kind_task_seq", "log", ["kind", "task", "seq"])
    for verb in ("UPDATE", "DELETE"):
        op.execute(_GUARD.format(verb=verb))


def _copy(sealed: Sealer) -> None:
    def of_bytes(kind: bytes, id: bytes, task: bytes, at: bytes, digest: bytes, seq: int) -> str:
        return sealed(_text(kind), _text(id), _text(task), _text(at), _text(digest), seq)

    driver = op.get_bind().connection.driver_connection
    assert driver is not None  # noqa: S101 - a connection in a transaction has one
    driver.create_function("sealed", 6, of_bytes)
    op.execute(_COPY)
    driver.create_function("sealed", 6, None)


def _text(cell: bytes) -> str:
    return cell.decode(errors="surrogateescape")  # as a reader of the log gets it


def _alter() -> None:
    op.execute("ALTER TABLE log DISABLE TRIGGER log_never_changes")
    op.execute("ALTER TABLE log ADD COLUMN chain TEXT")
    _fill(_sealer())
    op.execute("ALTER TABLE log ALTER COLUMN chain SET NOT NULL")
    op.execute("ALTER TABLE log ENABLE TRIGGER log_never_changes")
    # The writer numbers the rows from now on: a row without a number is refused.
    op.execute("ALTER TABLE log ALTER COLUMN seq DROP DEFAULT")
    op.execute("DROP SEQUENCE log_seq_seq")


def _fill(sealed: Sealer) -> None:
    connection, seq = op.get_bind(), 0
    while page := connection.exec_driver_sql(_NEXT, (seq, _PAGE)).all():
        chains = [(sealed(*row), row.seq) for row in page]
        connection.exec_driver_sql("UPDATE log SET chain = %s WHERE seq = %s", chains)
        seq = page[-1].seq


def _sealer() -> Sealer:
    """Seals the rows that it is given, each after the one before."""
    chain = START.chain

    def sealed(kind: str, id: str, task: str, at: str, digest: str, seq: int) -> str:
        nonlocal chain
        chain = seal(chain, kind, id, task, at, digest, seq)
        return chain

    return sealed
