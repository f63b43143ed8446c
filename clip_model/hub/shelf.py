"""The folder of models that were fetched or converted: which are there as a whole, what they take, and how they go.

    hub/NAME/pulled.json        written last: the commit, the size and SHA-256 of each file; without it nothing counts
    hub/NAME/COMMIT/            the files, and `.part` files of a download that was cut short
    hub/pins.json               what each name stands for, see `pins.py`
    KEY.safetensors, KEY.json   converted models, see `checkpoints/converted.py`

It reaches no network, and imports no torch.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from clip_model.checkpoints import converted
from clip_model.checkpoints.sources import find_source
from clip_model.hub import named, removal
from clip_model.hub.acceptance import accepted
from clip_model.hub.fingerprint import fingerprint_of
from clip_model.hub.named import NAME, NamedModel
from clip_model.hub.pins import Pin, Pins, read_pin
from clip_model.hub.removal import PULLED
from clip_model.int8.notes import files_made_of
from clip_model.stored_file import sha256, write_atomically

_HUB = "hub"


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
        """The folder with the files of a model that was fetched as a whole; None where it was not, or one is gone.

        Sizes alone are compared: files take seconds to read. `weights` and `sound` read them.
        """
        try:
            said = json.loads((self.home(name) / PULLED).read_bytes())
            pin, sizes = read_pin(said), dict(said["sizes"])
            folder = self.home(name) / pin.commit
            whole = all((folder / file).stat().st_size == sizes[file] for file in pin.files)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return folder if whole and pin.files else None

    def sound(self, name: str) -> Path | None:
        """The same, where each file still has the checksum that it was fetched with, and no other lies beside them."""
        folder, pin = self.pulled(name), self._noted(name)
        if folder is None or pin is None or {file.name for file in folder.iterdir()} != set(pin.files):
            return None
        return folder if all(sha256(folder / file) == expected for file, expected in pin.files.items()) else None

    def weights(self, name: str) -> Path | None:
        """The converted weights of a model that was fetched, made now where they are not there; None where it was not.

        Raises:
            ValueError: if a file is not what was fetched any more, or the model is not the one of that name.
            OSError: if they cannot be written.
        """
        folder, pin = self.pulled(name), self._noted(name)
        if folder is None or pin is None:
            return None
        return accepted(self.named[name], folder, pin.files, self.folder)

    def fingerprint(self, name: str) -> str | None:
        """Of the weights that a fetched model was converted to, without reading them; None where none are there."""
        folder, pin = self.pulled(name), self._noted(name)
        if folder is None or pin is None:
            return None
        with suppress(ValueError, OSError):
            source = find_source(folder)
            made = None if source is None else converted.sha256_made_of(source, pin.files, self.folder)
            return None if made is None else fingerprint_of(made)
        return None

    def pin(self, name: str) -> Pin | None:
        """What a name has stood for since it was first fetched; a removed model keeps that.

        Raises:
            ValueError: if the note of it is damaged.
            OSError: if it cannot be read.
        """
        return Pins(self.hub).get(name) or self._noted(name)

    def keep(self, name: str, pin: Pin, sizes: Mapping[str, int]) -> None:
        """Note that a model is here as a whole, and which it is from now on. The last step of a download.

        Raises:
            ValueError: if the note of what names stand for is damaged.
            OSError: if it cannot be written.
        """
        Pins(self.hub).put(name, pin)
        said = {"commit": pin.commit, "files": dict(pin.files), "sizes": dict(sizes)}
        write_atomically(self.home(name) / PULLED, json.dumps(said, indent=1).encode())

    def fetched_bytes(self, name: str) -> int:
        """What the files of a download take, whole or not, without those of earlier commits."""
        if NAME.fullmatch(name) is None:
            return 0
        folders = [folder for folder in removal.commit_folders(self.home(name)) if folder not in self._earlier(name)]
        return removal.bytes_in(folders) + removal.bytes_of_note(self.home(name))

    def earlier_bytes(self, name: str) -> int:
        """What the files of commits take that a name stood for before."""
        return removal.bytes_in(self._earlier(name))

    def converted_bytes(self, fingerprint: str) -> int:
        """What the converted weights with this fingerprint take; 0 where there are none."""
        return sum(file.stat().st_size for file in self._converted(fingerprint) if file.is_file())

    def earlier_weights(self, name: str, fingerprint: str) -> Path | None:
        """Converted weights with a fingerprint that a name stood for before it was fetched as another commit."""
        if name not in self.named or self.pulled(name) is None:
            return None
        return next((file for file in self._converted(fingerprint) if file.suffix == ".safetensors"), None)

    def holds(self, name: str, path: Path) -> bool:
        """Whether a path leads into what was fetched under a name."""
        return NAME.fullmatch(name) is not None and path.resolve().is_relative_to(self.home(name).resolve())

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
    def export(weights: Path, folder: Path, layout: str) -> str:
        """Write a weights file as a folder of open_clip or transformers; see `checkpoints/exporting.py`."""
        from clip_model.checkpoints.exporting import export

        return export(weights, folder, layout)

    def remove(self, name: str, fingerprint: str | None = None, *, keep: str | None = None) -> int:
        """Delete what was fetched of a name, and the weights that were converted from it; gives the bytes.

        Args:
            name: of the model; of one that was not fetched, such as a path, converted weights alone go.
            fingerprint: of the converted weights, where it is known.
            keep: fingerprint of converted weights that stay in any case.

        Raises:
            ValueError: if another process fetches it.
            OSError: if something cannot be deleted.
        """
        files = {*self._converted(fingerprint)} - {*self._converted(keep)}
        if NAME.fullmatch(name) is None:  # a path: the file that it leads to is a person's own
            return removal.delete_files(file for file in files if file.resolve() != Path(name).resolve())
        with self.alone(name):
            made = removal.made_of(removal.commit_folders(self.home(name)), self.folder)
            files |= {*made} - {*self._converted(keep)}
            return removal.delete_files(files) + removal.delete_home(self.home(name))

    def remove_earlier(self, name: str, fingerprint: str) -> int:
        """Delete what was fetched of commits that a name stood for before, and what was converted from them; the bytes.

        Args:
            name: of the model.
            fingerprint: of the converted weights of one of them.

        Raises:
            ValueError: if another process fetches it.
            OSError: if something cannot be deleted.
        """
        with self.alone(name):
            earlier, now = self._earlier(name), self.pulled(name)
            files = {*self._converted(fingerprint), *removal.made_of(earlier, self.folder)}
            files -= {*removal.made_of([now] if now is not None else [], self.folder)}
            return removal.delete_files(files) + removal.delete_folders(earlier)

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

    def _noted(self, name: str) -> Pin | None:
        try:
            return read_pin(json.loads((self.home(name) / PULLED).read_bytes()))
        except (OSError, ValueError):
            return None

    def _earlier(self, name: str) -> list[Path]:
        """The folders of other commits than the one that is here as a whole; none where none is."""
        now = self.pulled(name)
        return [] if now is None else [folder for folder in removal.commit_folders(self.home(name)) if folder != now]

    def _converted(self, fingerprint: str | None) -> list[Path]:
        """What was converted to the weights with a fingerprint, and the 8-bit towers that were made of those."""
        found = (files for weights, files in converted.notes(self.folder) if fingerprint_of(weights) == fingerprint)
        return [file for files in (*found, files_made_of(fingerprint or "", self.folder)) for file in files]
