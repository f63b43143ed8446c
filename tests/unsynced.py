"""Files that are left to the system to bring to the disk: no test cuts the power, and thousands of waits are minutes.

What a kill leaves is the same, since the system keeps what was written. Processes that a test starts do wait.
"""

import os

from indexer.catalog import database


def install(monkeypatch):
    """For one test."""
    monkeypatch.setattr(database, "_PRAGMAS", (*database._PRAGMAS, "PRAGMA synchronous = OFF"))
    monkeypatch.setattr(os, "fsync", require_open)


def require_open(descriptor):
    """In place of `os.fsync`: raises OSError of what is not open."""
    os.fstat(descriptor)
