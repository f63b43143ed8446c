"""The folder of models that were fetched or converted: which are there as a whole, what they take, and how they go.

    hub/NAME/pulled.json        written last: the commit, the size and SHA-256 of each file; without it nothing counts
    hub/NAME/COMMIT/            the files, and `.part` files of a download that was cut short
    hub/pins.json               which commit and which files a name stands for, since it was first fetched
    KEY.safetensors, KEY.json   converted models, see `checkpoints/converted.py`

It reaches no network, and imports no torch.
"""

from __future__ import annotations

import difflib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clip_model.checkpoints import converted
from clip_model.checkpoints.sources import find_source
from clip_model.hub import named
from clip_model.hub.named import NAME, NamedModel
from clip_model.stored_file import write_atomically

PULLED, _PINS, _HUB = "pulled.json", "pins.json", "hub"


@dataclass(frozen=True)
class Pin:
    """What a name stands for: a commit, and the SHA-256 of each of its files by name, as far as they are known."""

    commit: str
    files: Mapping[str, str] = field(default_factory=dict)


class Shelf:
    """Models that were fetched or converted.

    Args:
        folder: of them; None is the one in the user's cache.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or converted.default_folder()
        self.hub = self.folder / _HUB

    @property
    def named(self) -> Mapping[str, NamedModel]:
        """The models that have a name, whether they are here or not."""
        return named.named_models()

    def home(self, name: str) -> Path:
        """The folder of everything that was fetched of a model.

        Raises:
            ValueError: if the name could lead elsewhere.
        """
        if NAME.fullmatch(name) is None:
            raise ValueError(f"no model is called {name!r}")
        return self.hub / name

    def pulled(self, name: str) -> Path | None:
        """The folder with the files of a model that was fetched as a whole; None where it was not, or one is gone."""
        try:
            said = json.loads((self.home(name) / PULLED).read_bytes())
            pin, sizes = _pin(said), dict(said["sizes"])
            folder = self.home(name) / pin.commit
            whole = all((folder / file).stat().st_size == sizes[file] for file in pin.files)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return folder if whole and pin.files else None

    def pin(self, name: str) -> Pin | None:
        """What a name has stood for since it was first fetched; a removed model keeps that."""
        try:
            return _pin(json.loads((self.hub / _PINS).read_bytes())[name])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, name: str, pin: Pin, sizes: Mapping[str, int]) -> None:
        """Note that a model is here as a whole, and which it is from now on. The last step of a download."""
        said = {"commit": pin.commit, "files": dict(pin.files)}
        pins: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            pins = dict(json.loads((self.hub / _PINS).read_bytes()))
        write_atomically(self.hub / _PINS, json.dumps({**pins, name: said}, indent=1, sort_keys=True).encode())
        write_atomically(self.home(name) / PULLED, json.dumps({**said, "sizes": dict(sizes)}, indent=1).encode())

    def fetched_bytes(self, name: str) -> int:
        """What the files of a download take, whole or not."""
        return _bytes_in(self.home(name)) if NAME.fullmatch(name) else 0

    def converted_bytes(self, fingerprint: str) -> int:
        """What the converted weights with this fingerprint take; 0 where there are none."""
        return sum(file.stat().st_size for file in converted.files_of(self.folder, fingerprint) if file.is_file())

    def pull(
        self, name: str, *, revision: str | None = None, on_progress: Callable[[int, int], None] | None = None
    ) -> Path:
        """Fetch a named model; see `pulling.pull`.

        Raises:
            ValueError: if there is no model of that name, or it cannot be had as it should be.
            OSError: if the hub cannot be reached, or the disk be written.
        """
        from clip_model.hub.pulling import pull

        model = self.named.get(name)
        if model is None:
            near = difflib.get_close_matches(name, self.named, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"no model is called {name!r}; {meant}'picsift models list' names them")
        return pull(model, self, revision=revision, on_progress=on_progress)

    @staticmethod
    def export(weights: Path, folder: Path, layout: str) -> None:
        """Write a weights file as a folder of open_clip or transformers; see `checkpoints/exporting.py`."""
        from clip_model.checkpoints.exporting import export

        export(weights, folder, layout)

    def remove(self, name: str, fingerprint: str | None = None) -> int:
        """Delete what was fetched of a name, and the weights that were converted from it; gives the bytes.

        Args:
            name: of the model; of one that was not fetched, such as a path, converted weights alone go.
            fingerprint: of the converted weights, where it is known.

        Raises:
            ValueError: if another process fetches it.
            OSError: if something cannot be deleted.
        """
        if NAME.fullmatch(name) is None:
            return _deleted(converted.files_of(self.folder, fingerprint) if fingerprint else ())
        with self.alone(name):
            return self._remove(name, fingerprint)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Within it no other process fetches or removes a model.

        Raises:
            ValueError: if another one does.
            OSError: if the folder cannot be written.
        """
        from filelock import FileLock, Timeout

        self.home(name)  # refuses a name that leads elsewhere
        self.hub.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.hub / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(f"another process is fetching or removing {name}; wait for it, then try again") from error
        try:
            yield
        finally:
            lock.release()

    def _remove(self, name: str, fingerprint: str | None) -> int:
        gone = converted.files_of(self.folder, fingerprint) if fingerprint else []
        folder = self.pulled(name)
        source = find_source(folder) if folder is not None else None
        if source is not None:
            gone = [*gone, *converted.files_made_of(source, self.folder)]
        freed = _deleted(gone)
        if self.home(name).is_dir():
            freed += self.fetched_bytes(name)
            (self.home(name) / PULLED).unlink(missing_ok=True)  # from here on it does not count
            shutil.rmtree(self.home(name))
        return freed


def _pin(said: Mapping[str, Any]) -> Pin:
    commit, files = str(said["commit"]), {str(name): str(sha) for name, sha in said["files"].items()}
    if any(NAME.fullmatch(part) is None for part in (commit, *files)):
        raise ValueError("a name that no file has")
    return Pin(commit, files)


def _deleted(files: Iterable[Path]) -> int:
    """Delete files that may be gone; the bytes of those that were there."""
    freed = 0
    for file in files:
        with suppress(FileNotFoundError):
            freed += file.stat().st_size
            file.unlink()
    return freed


def _bytes_in(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with suppress(OSError):
            total += file.stat().st_size if file.is_file() else 0
    return total
