"""The log: one append-only table that holds every record.

The database itself refuses to change or remove a row, whoever asks.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE = """
CREATE TRIGGER log_never_{verb} BEFORE {verb} ON log
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END
"""

_POSTGRES_FUNCTION = """
CREATE FUNCTION log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$
"""

_POSTGRES_TRIGGER = """
CREATE TRIGGER log_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON log
FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only()
"""


def upgrade() -> None:
    """Make the table and the triggers that guard it."""
    op.create_table(
        "log",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "id", name="log_kind_id"),
    )
    op.create_index("log_kind_seq", "log", ["kind", "seq"])
    op.create_index("log_kind_task_seq", "log", ["kind", "task", "seq"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(_SQLITE.format(verb=verb))
    else:
        op.execute(_POSTGRES_FUNCTION)
        op.execute(_POSTGRES_TRIGGER)
