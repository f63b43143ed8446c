"""The file that the database is: which one it is, what SQLite and the system say of it, and who wrote it."""
