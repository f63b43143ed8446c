"""The schema of a new library, as the migrations made it the first time: the suite makes thousands of libraries.

The migrations take a tenth of a second of computing each time; what they have left in an empty database is written down
at the first one and laid out again for those that follow. Upgrades of what is no empty database are the real ones.
"""

from indexer.catalog import migrations


class ReadySchema:
    """Stands in for `migrations.upgrade`."""

    def __init__(self):
        self._upgrade = migrations.upgrade
        self._statements = []
        self._rows = []

    def install(self, monkeypatch):
        """For one test."""
        monkeypatch.setattr(migrations, "upgrade", self.upgrade)

    def upgrade(self, connection, revision="head"):
        if revision != "head" or _tables(connection):
            self._upgrade(connection, revision)
        elif not self._statements:
            self._upgrade(connection)
            self._write_down(connection)
        else:
            for statement in self._statements:
                connection.exec_driver_sql(statement)
            for statement, rows in self._rows:
                connection.exec_driver_sql(statement, rows)

    def _write_down(self, connection):
        made = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name NOT IN "
        made += f"({_SHADOWS}) ORDER BY rowid"
        self._statements = [sql for (sql,) in connection.exec_driver_sql(made)]
        for table in _tables(connection):
            rows = [tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"')]
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                self._rows.append((f'INSERT INTO "{table}" VALUES ({marks})', rows))


# Made by a virtual table for itself, when it is made.
_SHADOWS = "SELECT name FROM pragma_table_list WHERE type = 'shadow'"


def _tables(connection):
    named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN "
    named += f"({_SHADOWS})"
    return [name for (name,) in connection.exec_driver_sql(named)]
