"""Reads and writes of the catalog, a noun each: functions on one connection, in its transaction."""
