"""Which RAWs, or videos, and pictures of one name are one shot: what their files say is compared, once for both files.

What came out is kept with the pair, and what a photo says is in the catalog; a file is opened where neither is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from indexer.catalog.catalog import Catalog
from indexer.catalog.records import FoundFile, KnownPhoto, RootPath
from indexer.errors import DecoderLostError, ImageError, UnreadableError
from indexer.folders.pairing import Agreed, Couple, is_raw_name, is_second_name
from indexer.folders.scanner import StoppedError
from indexer.metadata.dates import Taken
from indexer.metadata.shots import OWN_SOURCES, Shot, agree, agree_in_motion, says_when
from indexer.pictures.heads import read_head
from indexer.workers.isolation import WorkerPool

_TOLD_BY_THE_FILE = (None, "file", *OWN_SOURCES)


@dataclass
class Heads:
    """Reads what files say of their shots, several at a time; for one run."""

    threads: ThreadPoolExecutor
    pool: WorkerPool
    stop: Callable[[], bool]
    _known: dict[tuple[Path, FoundFile], Shot | None] = field(default_factory=dict)

    def __call__(self, root: Path, files: Iterable[FoundFile]) -> dict[str, Shot | None]:
        """By path in the root; None of a file that cannot be read now.

        Raises:
            StoppedError: `stop` said so.
        """
        asked = {file.path: (root / file.path, file) for file in files}
        if new := [one for one in asked.values() if one not in self._known]:
            self.pool.open()
            self._known.update(zip(new, self.threads.map(self._read, new), strict=True))
        return {path: self._known[one] for path, one in asked.items()}

    def _read(self, asked: tuple[Path, FoundFile]) -> Shot | None:
        if self.stop():
            raise StoppedError
        try:
            return self.pool.run(read_head, asked[0])
        except UnreadableError:
            return None
        except DecoderLostError as error:
            return None if error.temporary else Shot()
        except ImageError:
            return Shot()


@dataclass(frozen=True)
class Agreement:
    """Compares the files of couples.

    Attributes:
        catalog: what is known of photos, and of pairs.
        heads: reads what is not.
        leave: absolute path -> whether a file is still being written.
        videos: whether new videos are taken in; else those beside stills of their names are not opened.
    """

    catalog: Catalog
    heads: Heads
    leave: Callable[[str], bool] = lambda path: False
    videos: bool = True

    def among(
        self, root: RootPath, known: Mapping[str, KnownPhoto], files: Mapping[str, FoundFile], couples: Sequence[Couple]
    ) -> Agreed:
        """Those that are one shot, with what to keep of the comparison; None where it has to be made again.

        What is being written, or cannot be read for the moment, stays as it was: a RAW that is a photo stays one. A
        still and a video that are photos of their own stay so unless both say when they were taken.
        """
        photos = {known[one.picture].id for one in couples if one.picture in known}
        before = self.catalog.agreements(sorted(photos))
        pairs: dict[tuple[str, str], str | None] = {}
        undecided: list[Couple] = []
        for one in couples:
            kept = before.get((known[one.picture].id, _name(one.second))) if one.picture in known else None
            if kept is not None and kept == _stamps(one, files):
                pairs[one] = kept
            elif not self.videos and one.second not in known and not is_raw_name(one.second):
                pairs[one] = None
            else:
                undecided.append(one)
        asked = {path for one in undecided for path in one if not self.leave(str(root.path / path))}
        said = self._said(root, known, [files[path] for path in sorted(asked)])
        for one in undecided:
            picture, second = said.get(one.picture), said.get(one.second)
            if picture is None or second is None:
                if one.second not in known:
                    pairs[one] = None
            elif _are_both(one, known) and not (says_when(picture) and says_when(second)):
                continue
            elif _agree(one.second, picture, second):
                pairs[one] = _stamps(one, files)
        return pairs

    def takes(self, root: RootPath, photo: KnownPhoto, file: FoundFile) -> bool:
        """Whether a file that is new is the other one of a photo whose own is gone: it lay beside it, or agrees."""
        if self.catalog.agreements([photo.id]).get((photo.id, _name(file.path))) is not None:
            return True
        found = self.heads(root.path, [file])[file.path]
        if found is None:
            return False
        known = self.catalog.shots([photo.id])[photo.id]
        # Of the two only the one that lies beside a picture is named like that.
        return _agree(photo.path, found, known) if is_second_name(photo.path) else _agree(file.path, known, found)

    def _said(
        self, root: RootPath, known: Mapping[str, KnownPhoto], files: Sequence[FoundFile]
    ) -> Mapping[str, Shot | None]:
        """What files say, by their paths; of photos that are as they were the catalog knows it."""
        held = {file.path: known[file.path].id for file in files if _is_as_known(file, known.get(file.path))}
        shots = self.catalog.shots(sorted(held.values()))
        # What a name or a file beside it says is no matter, or two files would agree or not by which came first.
        own = {path: _own(shots[at]) for path, at in held.items() if shots[at].taken.source in _TOLD_BY_THE_FILE}
        return own | self.heads(root.path, [file for file in files if file.path not in own])


def _agree(second: str, picture: Shot, said: Shot) -> bool:
    """Whether the file beside a picture, a RAW or a video by its name, is of the same shot."""
    return agree(picture, said) if is_raw_name(second) else agree_in_motion(picture, said)


def _own(shot: Shot) -> Shot:
    """What the file itself says: nothing, where only the system's clock dates it."""
    return shot._replace(taken=Taken()) if shot.taken.source == "file" else shot


def _are_both(one: Couple, known: Mapping[str, KnownPhoto]) -> bool:
    """Whether a still and a video are photos of their own, told apart before."""
    return not is_raw_name(one.second) and one.picture in known and one.second in known


def _is_as_known(file: FoundFile, photo: KnownPhoto | None) -> bool:
    if photo is None or photo.state != "ok" or (photo.size, photo.mtime_ns) != (file.size, file.mtime_ns):
        return False
    return photo.ctime_ns in (None, file.ctime_ns)


def _stamps(couple: Couple, files: Mapping[str, FoundFile]) -> str:
    """The stamps of both files; their numbers are left out, which some file systems give anew at every mount."""
    return "/".join(f"{file.size}-{file.mtime_ns}-{file.ctime_ns}" for file in (files[path] for path in couple))


def _name(path: str) -> str:
    return path.rpartition("/")[2]
