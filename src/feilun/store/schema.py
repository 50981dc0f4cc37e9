"""The table of the log, and how a database comes to have it."""

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)

from feilun.errors import StoreError
from feilun.store.border import Place
from feilun.store.engines import writing

# The newest revision under migrations/versions. A database that has it needs no
# Alembic, whose import takes longer (0.2 s) than all the rest of opening a store.
HEAD = "0002"

# Not Alembic's own name: in a shared database that table may be another program's.
VERSION_TABLE = "feilun_version"

MIGRATIONS = Path(__file__).parent / "migrations"

metadata = MetaData()

# The writer numbers the rows itself: the number is sealed in the chain (see chain.py).
log = Table(
    "log",
    metadata,
    Column(
        "seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    ),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("body", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("chain", Text, nullable=False),
    UniqueConstraint("kind", "id", name="log_kind_id"),
    Index("log_kind_seq", "kind", "seq"),
    Index("log_kind_task_seq", "kind", "task", "seq"),
)


def bring_up_to_date(engine: Engine, place: Place) -> None:
    """Give the database the newest tables, in one transaction and one process at a time.

    Raises StoreError for a database that a newer feilun has made.
    """
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    with writing(engine) as connection:
        _upgrade(connection, place)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.execute(
        text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - our own constant
    ).scalar()
    return revision


def _upgrade(connection: Connection, place: Place) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    revision = _revision(connection)
    if revision is not None and revision not in known:
        raise StoreError(
            f"{place.name} was made by a newer feilun (its tables are at {revision}, this one "
            f"knows {HEAD}). Upgrade: pip install --upgrade feilun"
        )
    command.upgrade(config, "head")
