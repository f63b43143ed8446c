"""The truth, in SQLite: tables, migrations, and every read and write. It knows no folders and no files."""
