"""Which commit and which files each name stands for since it was first fetched: one file for all names.

Writers wait for each other. What cannot be read is never written over: without it any files would pass for the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clip_model.hub.named import NAME
from clip_model.stored_file import write_atomically

_FILE, _LOCK = "pins.json", "pins.lock"
_WAIT_S = 30.0


@dataclass(frozen=True)
class Pin:
    """What a name stands for: a commit, and the SHA-256 of each of its files by name, as far as they are known."""

    commit: str
    files: Mapping[str, str] = field(default_factory=dict)


def read_pin(said: Any) -> Pin:
    """The pin that a JSON value holds.

    Raises:
        ValueError: if it holds none, or one with names that no file has.
    """
    try:
        commit, files = str(said["commit"]), {str(name): str(sha) for name, sha in said["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("it holds no commit with its files") from error
    if any(NAME.fullmatch(part) is None for part in (commit, *files)):
        raise ValueError("a name that no file has")
    return Pin(commit, files)


class Pins:
    """The file of pins in a folder, which need not be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> Pin | None:
        """What a name stands for; None where it was never fetched.

        Raises:
            ValueError: if the file is damaged.
            OSError: if it cannot be read.
        """
        said = self._all().get(name)
        try:
            return None if said is None else read_pin(said)
        except ValueError as error:
            raise ValueError(self._damaged()) from error

    def put(self, name: str, pin: Pin) -> None:
        """Let a name stand for something from now on; the other names keep what they stand for.

        Raises:
            ValueError: if the file is damaged.
            OSError: if it cannot be read or written, or another process holds it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self._folder / _LOCK)
        try:
            lock.acquire(timeout=_WAIT_S)
        except Timeout as error:
            raise OSError(f"another process holds {self._folder / _LOCK}; wait for it, then try again") from error
        try:
            pins = {**self._all(), name: {"commit": pin.commit, "files": dict(pin.files)}}
            write_atomically(self._folder / _FILE, json.dumps(pins, indent=1, sort_keys=True).encode())
        finally:
            lock.release()

    def _all(self) -> dict[str, Any]:
        try:
            pins = json.loads((self._folder / _FILE).read_bytes())
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            raise ValueError(self._damaged()) from error
        if not isinstance(pins, dict):
            raise ValueError(self._damaged())
        return pins

    def _damaged(self) -> str:
        return (
            f"{self._folder / _FILE} is damaged, which says what each name stands for. Put it back from a backup; or "
            "delete it: then a name stands for what is here of it, else for what the hub has now"
        )
