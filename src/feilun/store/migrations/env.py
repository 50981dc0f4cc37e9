"""Alembic's entry. The store hands in its connection, inside the transaction of one writer."""

from alembic import context

from feilun.store.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
