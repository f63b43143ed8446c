"""SQLAlchemy's statements, written out as SQL once for all libraries: the suite opens thousands of them.

An engine keeps what it has compiled, so that a library that is opened anew compiles each statement again, which takes
as long as the rest of a first run over a handful of photos. It is the same SQL for every library of this process.
"""

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from indexer.catalog import database


class _Dialect(SQLiteDialect_pysqlite):
    """Equal to its like, since it is a part of what a compiled statement is found by."""

    supports_statement_cache = True

    def __eq__(self, other):
        return isinstance(other, _Dialect)

    def __hash__(self):
        return hash(_Dialect)


class ReadyStatements:
    """Stands in for `create_engine` of the catalog's database."""

    def __init__(self):
        self._create = database.create_engine
        self._compiled = LRUCache(2000)

    def install(self, monkeypatch):
        """For one test."""
        monkeypatch.setattr(database, "create_engine", self.create_engine)

    def create_engine(self, *args, **kwargs):
        engine = self._create(*args, **kwargs, execution_options={"compiled_cache": self._compiled})
        engine.dialect.__class__ = _Dialect
        return engine
