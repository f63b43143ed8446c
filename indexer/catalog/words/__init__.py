"""The words that photos carry, from titles to names of folders, in an index of SQLite's FTS5."""
