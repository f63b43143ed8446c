"""The words that photos carry (titles, descriptions, keywords, tags, names of files and folders), indexed by SQLite's FTS5."""
