"""Fetch a named model from a hub, through huggingface-hub: resumed, checked, pinned, and whole or not there.

The hub says of each file how large it is and which checksum it has; nothing that differs is ever used. The commit and
the files that the first download settles are those of all later ones, once they are the model that the name says.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clip_model.checkpoints.sources import read_json
from clip_model.hub import removal
from clip_model.hub.acceptance import accepted
from clip_model.hub.named import NamedModel
from clip_model.hub.pins import Pin
from clip_model.hub.remote import Remote
from clip_model.hub.repository import HubFile, check_commit, described, is_index, shards_of, wanted_files, written_files
from clip_model.hub.shelf import Shelf
from clip_model.stored_file import write_atomically

_SHA256_LETTERS = 64
_ANOTHER = "have the setting 'converted_models' name another folder"
_REMEDIES: Mapping[int, str] = {
    **dict.fromkeys((errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)), f"Make room, or {_ANOTHER}"),
    errno.EFBIG: f"The disk, or a limit of this process, takes no file that large: {_ANOTHER}, or lift the limit",
    errno.EROFS: f"It can be read alone: {_ANOTHER}",
    **dict.fromkeys((errno.EACCES, errno.EPERM), f"Let this user read and write there, or {_ANOTHER}"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), f"A file is where a folder has to be: move it, or {_ANOTHER}"),
}
"""What to do where a folder takes no files, by the number of the error."""
Tell = Callable[[int, int], None]
"""Told how many bytes of how many are here."""
Accept = Callable[[NamedModel, Path, Mapping[str, str], Path], object]
"""Raises ValueError where files are not the model of a name; see `acceptance.accepted`."""


def pull(
    model: NamedModel,
    shelf: Shelf,
    *,
    revision: str | None = None,
    on_progress: Tell | None = None,
    accept: Accept = accepted,
) -> Path:
    """Fetch the files of a model unless they are here and sound, and go on where an earlier call was cut short.

    Args:
        model: what to fetch.
        shelf: where to.
        revision: a commit, branch or tag to stand for the name from now on; None is the one that it stands for already.
        on_progress: told how far the download is.
        accept: what the files have to pass before the name stands for them.

    Returns:
        The folder of the files.

    Raises:
        ValueError: if the hub has no such model, gives other files than were pinned, or a file has another checksum.
        OSError: if the hub cannot be reached, or the disk be written.
    """
    if not model.repo:
        raise ValueError(f"the model {model.name!r} comes with picsift: there is nothing to fetch")
    try:
        pin = shelf.pin(model.name)
        if revision is None and pin is not None and (there := shelf.sound(model.name)) and there.name == pin.commit:
            return there
        with shelf.alone(model.name):
            return _pull(model, shelf, revision, on_progress or (lambda done, total: None), accept)
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None or not _is_of(shelf.folder, error.filename):  # a sentence already, or of something else
            raise
        raise OSError(
            f"what is fetched cannot be kept in {shelf.folder} ({error.strerror}). {remedy}; the same command goes on "
            "where this one stopped"
        ) from error


def _is_of(folder: Path, name: object) -> bool:
    """Whether an error that names such a file, or none, may be the folder's: it lies in it, or the folder in it."""
    if not isinstance(name, str | os.PathLike):
        return True
    return Path(name).is_relative_to(folder) or folder.is_relative_to(name)


def _pull(model: NamedModel, shelf: Shelf, revision: str | None, tell: Tell, accept: Accept) -> Path:
    hub, pin = Remote(model.repo), shelf.pin(model.name)
    asked = revision or (pin.commit if pin else model.revision) or "main"
    said, known = hub.listing(asked)
    commit = check_commit(said, asked, model.repo)
    expected = dict(pin.files) if pin is not None and pin.commit == commit else {}
    folder = shelf.home(model.name) / commit
    folder.mkdir(parents=True, exist_ok=True)
    ours = written_files(model.model_cfg, known)
    try:
        names = (
            _pinned(expected.keys() - ours, known) if expected else wanted_files(model.layout, known, model.model_cfg)
        )
        if is_index(names[-1]) and not expected:
            fetch = _Fetch(hub, commit, folder, expected, tell, _described(known, names[-1:]))
            fetch.all()
            names += shards_of(read_json(folder / names[-1]), known)
    except ValueError as error:
        raise ValueError(f"{model.repo} cannot be used: {error}") from error
    fetch = _Fetch(hub, commit, folder, expected, tell, _described(known, names))
    hashes = fetch.all()
    for name, text in ours.items():
        write_atomically(folder / name, text)
        hashes[name] = hashlib.sha256(text).hexdigest()
    removal.delete_files(file for file in folder.iterdir() if file.is_file() and file.name not in hashes)
    try:
        accept(model, folder, hashes, shelf.folder)
    except ValueError:
        if not expected:  # nobody has used it, and the hub may have another commit next
            removal.delete_files(removal.made_of([folder], shelf.folder))
            removal.delete_folders([folder])
        raise
    shelf.keep(model.name, Pin(commit, hashes), {name: (folder / name).stat().st_size for name in hashes})
    others = (other for other in removal.commit_folders(shelf.home(model.name)) if other != folder)
    removal.delete_folders(
        [other for other in others if any(other.glob("*.part"))]
    )  # downloads that nobody goes on with
    return folder


def _pinned(expected: Iterable[str], known: Mapping[str, Any]) -> list[str]:
    """The names of the files that a name stands for; no other one of its commit is trusted."""
    for name in expected:
        if name not in known:
            raise ValueError(f"the hub has no {name} any more, which the name stands for since it was first fetched")
    return list(expected)


def _described(known: Mapping[str, Any], names: Iterable[str]) -> list[HubFile]:
    files = []
    for name in names:
        said = known[name]
        file = described(name, said.size, None if said.lfs is None else said.lfs.sha256, said.blob_id)
        if file is None:
            raise ValueError(f"the hub does not say how {name} is checked, so that it is not fetched")
        files.append(file)
    return files


class _Fetch:
    """Files of one commit on their way into a folder."""

    def __init__(
        self, hub: Remote, commit: str, folder: Path, expected: dict[str, str], tell: Tell, files: list[HubFile]
    ) -> None:
        self.files = files
        self._hub, self._commit, self._folder, self._expected, self._tell = hub, commit, folder, expected, tell
        self._done, self._total = 0, sum(file.size for file in files)

    def all(self) -> dict[str, str]:
        """Fetch what is not here, check all of it, and give the SHA-256 of each file by its name."""
        hashes = {}
        for file in self.files:
            begun = self._done
            hashes[file.name] = self._one(file)
            self._at(begun + file.size)
        return hashes

    def _one(self, file: HubFile) -> str:
        """Fetch a file unless it is here and sound; its SHA-256.

        Raises:
            ValueError: if its checksum is another one than the hub's, or than was pinned; it is deleted then.
        """
        target, part = self._folder / file.name, self._folder / f"{file.name}.part"
        if target.is_file() and target.stat().st_size == file.size:
            found = _checked(target, file)
            if found is not None and found == self._expected.get(file.name, found):
                return found
        target.unlink(missing_ok=True)
        if part.is_file() and part.stat().st_size > file.size:
            part.unlink()
        begun = self._done
        with part.open("ab") as stream:
            have = stream.tell()
            self._at(begun + have)
            if have < file.size:
                self._hub.download(self._commit, file.name, stream, have, file.size, partial(self._more, file, begun))
            stream.flush()
            os.fsync(stream.fileno())
        found = _checked(part, file)
        pinned = self._expected.get(file.name, found)
        if found is None or found != pinned:
            part.unlink()
            which = "the hub says" if found is None else "it had when it was first fetched"
            raise ValueError(
                f"{file.name} is damaged, or was tampered with: it has not the checksum that {which}. It was deleted; "
                "fetch it again"
            )
        part.replace(target)
        return found

    def _more(self, file: HubFile, begun: int, have: int) -> None:
        """Tell of a file of which so much is here, with what comes now; more than the hub has said is not taken."""
        if have > file.size:
            (self._folder / f"{file.name}.part").unlink(missing_ok=True)
            raise ValueError(f"the hub sends more of {file.name} than the {file.size:,} bytes that it says it has")
        self._at(begun + have)

    def _at(self, done: int) -> None:
        self._done = done
        self._tell(done, self._total)


def _checked(path: Path, file: HubFile) -> str | None:
    """The SHA-256 of a file in hexadecimal; None where it has not the size and the checksum that the hub says."""
    if path.stat().st_size != file.size:
        return None
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if len(file.checksum) == _SHA256_LETTERS:
        return found if found == file.checksum else None
    git = hashlib.sha1(b"blob %d\0" % file.size + path.read_bytes(), usedforsecurity=False).hexdigest()
    return found if git == file.checksum else None
