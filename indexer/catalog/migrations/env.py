"""What Alembic runs around the migrations: it uses the connection, and the transaction, that it is given.

A new step is a file `versions/NNNN_what.py` whose revision is its number, and SCHEMA_VERSION in
`indexer.catalog.database` grows with it. A test compares what the steps build with what `indexer.catalog.tables`
declares.
"""

from alembic import context

from indexer.catalog.tables import (  # noqa: F401 - the tables that stand apart
    instant_trigger,
    tag_tables,
    vector_tables,
    word_tables,
)
from indexer.catalog.tables.photo_tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
