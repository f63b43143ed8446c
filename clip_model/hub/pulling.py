"""Fetch a named model from a hub, through huggingface-hub: resumed, checked, pinned, and whole or not there.

The hub says of each file how large it is and which checksum it has; nothing that differs is ever used. The commit that
the first download settles is the one of all later ones.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from clip_model.hub.named import NamedModel
from clip_model.hub.refusals import Told
from clip_model.hub.repository import HubFile, check_commit, described, is_index, shards_of, wanted_files
from clip_model.hub.shelf import Pin, Shelf

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo as Listing

ENDPOINT = "HF_ENDPOINT"  # huggingface-hub's own variable: another hub, such as a mirror
_TIMEOUT_S = 30.0
_SHA256_LETTERS = 64
Tell = Callable[[int, int], None]
"""Told how many bytes of how many are here."""


def pull(model: NamedModel, shelf: Shelf, *, revision: str | None = None, on_progress: Tell | None = None) -> Path:
    """Fetch the files of a model unless they are here, and go on where an earlier call was cut short.

    Args:
        model: what to fetch.
        shelf: where to.
        revision: a commit, branch or tag to stand for the name from now on; None is the one that it stands for already.
        on_progress: told how far the download is.

    Returns:
        The folder of the files.

    Raises:
        ValueError: if the hub has no such model, gives other files than were pinned, or a file has another checksum.
        OSError: if the hub cannot be reached, or the disk be written.
    """
    if not model.repo:
        raise ValueError(f"the model {model.name!r} comes with picsift: there is nothing to fetch")
    pin = shelf.pin(model.name)
    there = shelf.pulled(model.name)
    if there is not None and revision is None and pin is not None and there.name == pin.commit:
        return there
    with shelf.alone(model.name):
        return _pull(model, shelf, revision, on_progress or (lambda done, total: None))


def _pull(model: NamedModel, shelf: Shelf, revision: str | None, tell: Tell) -> Path:
    hub, pin = _Hub(model.repo), shelf.pin(model.name)
    listing = hub.listing(revision or (pin.commit if pin else model.revision) or "main")
    commit = check_commit(listing.sha, model.repo)
    expected = dict(pin.files) if pin is not None and pin.commit == commit else {}
    known = {sibling.rfilename: sibling for sibling in listing.siblings or ()}
    folder = shelf.home(model.name) / commit
    folder.mkdir(parents=True, exist_ok=True)
    try:
        names = wanted_files(model.layout, known)
        if is_index(names[-1]):
            fetch = _Fetch(hub, commit, folder, expected, tell, _described(known, names[-1:]))
            fetch.all()
            names += shards_of(json.loads((folder / names[-1]).read_bytes()), known)
    except ValueError as error:
        raise ValueError(f"{model.repo} cannot be used: {error}") from error
    fetch = _Fetch(hub, commit, folder, expected, tell, _described(known, names))
    hashes = fetch.all()
    shelf.keep(model.name, Pin(commit, hashes), {file.name: file.size for file in fetch.files})
    return folder


def _described(known: dict[str, Any], names: Iterable[str]) -> list[HubFile]:
    files = []
    for name in names:
        said = known[name]
        file = described(name, said.size, None if said.lfs is None else said.lfs.sha256, said.blob_id)
        if file is None:
            raise ValueError(f"the hub does not say how {name} is checked, so that it is not fetched")
        files.append(file)
    return files


class _Hub:
    """One repository, asked through huggingface-hub; what goes wrong is told in plain words."""

    def __init__(self, repo: str) -> None:
        from huggingface_hub import HfApi, constants

        self._repo = repo
        self._api = HfApi(endpoint=os.environ.get(ENDPOINT) or constants.ENDPOINT, library_name="picsift")

    def listing(self, revision: str) -> Listing:
        """What the hub says of a revision, with the size and the checksum of each file."""
        from huggingface_hub import constants
        from huggingface_hub.errors import OfflineModeIsEnabled

        with self.told(f"revision {revision}"):
            if constants.is_offline_mode():
                raise OfflineModeIsEnabled("HF_HUB_OFFLINE is set")
            return self._api.model_info(self._repo, revision=revision, files_metadata=True, timeout=_TIMEOUT_S)

    def download(
        self, commit: str, name: str, file: BinaryIO, have: int, size: int, tell: Callable[[int], None]
    ) -> None:
        """Write a file from byte `have` on."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(self._repo, name, revision=commit, endpoint=self._api.endpoint)
        counted = type("Counted", (_Bar,), {"tell": staticmethod(tell)})
        with self.told(name):
            http_get(
                url, file, resume_size=have, headers=build_hf_headers(library_name="picsift"), expected_size=size,
                displayed_filename=name, tqdm_class=cast(Any, counted),
            )  # fmt: skip

    def told(self, what: str) -> Told:
        """Within it, what the hub or the line refuses is raised as a sentence."""
        return Told(self._repo, str(self._api.endpoint), what)


class _Fetch:
    """Files of one commit on their way into a folder."""

    def __init__(
        self, hub: _Hub, commit: str, folder: Path, expected: dict[str, str], tell: Tell, files: list[HubFile]
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
        with part.open("ab") as stream:
            have = stream.tell()
            self._at(self._done + have)
            if have < file.size:
                self._hub.download(self._commit, file.name, stream, have, file.size, self._more)
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

    def _more(self, count: int) -> None:
        self._at(self._done + count)

    def _at(self, done: int) -> None:
        self._done = done
        self._tell(done, self._total)


class _Bar:
    """What huggingface-hub tells of a download, in place of a bar of its own."""

    tell: Callable[[int], None]

    def __init__(self, **said: Any) -> None:
        """What it would write beside its bar says nothing here."""

    def __enter__(self) -> _Bar:
        """As a bar does."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    def update(self, count: float) -> None:
        """So many more bytes are here; fewer, where a server begins anew."""
        type(self).tell(int(count))


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
