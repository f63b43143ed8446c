"""Looks at folders and says how they differ from the catalog; what cannot be seen is noted, and never taken for gone.

It knows which root a folder belongs to, which roots have been renamed, and where drives used to be. It settles nothing.
"""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from indexer.catalog.records import RootPath
from indexer.counted import counted
from indexer.errors import RootError
from indexer.folders.agreement import Agreement
from indexer.folders.comparison import Changes, compare
from indexer.folders.found import Scan
from indexer.folders.ignoring import Ignoring
from indexer.folders.mounts import is_mount
from indexer.folders.moving import folded
from indexer.folders.pairing import Paired, pair
from indexer.folders.rechecking import has_nothing, is_restless, lies_below, real_path
from indexer.folders.renaming import is_renamed
from indexer.folders.scanner import scan
from indexer.library import Library

LOOKS = 3  # at the same folders, as long as they change while they are looked at


@dataclass(frozen=True)
class Looked:
    """One folder, looked at: its root, how it differs from the catalog, where in the root it lies, what is wrong.

    `deep` says whether those below it were looked at too.
    """

    root: RootPath
    changes: Changes
    paired: Paired
    below: str
    problem: str | None = None
    deep: bool = True


@dataclass(frozen=True)
class Look:
    """How folders are looked at.

    Attributes:
        library: whose writer lock the caller holds.
        model_id: the model whose embeddings are asked about.
        ignoring: what is passed over.
        allow_mass_removal: take what is empty or absent for gone after all.
        messages: grows by a sentence for each thing that a person should know.
        stop: asked for each folder; a scan then raises StoppedError.
        renamed: grows by the roots that were found under another name.
        written: absolute paths of files that were written to, whatever their stamps say.
        agreement: tells which RAWs belong to the pictures beside them.
        absent: by root, folders that were roots until now, and show nothing; no option to remove speaks of them.
        went: by root, what went while it was looked at: a later look of this run does not take it for gone either.
    """

    library: Library
    model_id: int
    ignoring: Ignoring
    allow_mass_removal: bool
    messages: list[str]
    agreement: Agreement
    stop: Callable[[], bool] = lambda: False
    renamed: set[int] = field(default_factory=set)
    written: Collection[str] = ()
    absent: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    went: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def at(self, folders: Sequence[Path], shallow: Sequence[Path] = ()) -> list[Looked]:
        """Look at folders: roots, old or new, or folders below them; at the files of the shallow ones alone.

        What moves meanwhile, from where no look came yet to where one has been or the other way, would be seen nowhere,
        or twice. So where photos are not there, or are new, and folders have changed since they were listed, all is
        looked at once more.

        Raises:
            RootError: a folder is not there, is no known root, and holds nothing to remove; or is a file.
        """
        places, said = self._places(folders, shallow), len(self.messages)
        others = [root.path for root in self.library.catalog.root_paths()]
        for _ in range(LOOKS):
            del self.messages[said:]
            looked = [self._look(*place, others) for place in places]
            if not _may_have_moved(looked) or not any(is_restless(o.paired.scan.visits) for o in looked):
                break
        for root_id, problem in {one.root.id: one.problem for one in looked}.items():
            self.library.catalog.note_scan(root_id, problem)
        return looked

    def _places(self, folders: Sequence[Path], shallow: Sequence[Path]) -> list[tuple[RootPath, str, bool]]:
        """The roots and subfolders to look at, and whether with what is below; none of them inside another such one."""
        catalog = self.library.catalog
        before = catalog.root_paths()
        known = {root.path for root in before}
        folders, shallow = ([as_known(folder, known) for folder in some] for some in (folders, shallow))
        for folder in (*folders, *shallow):
            if os.path.isdir(folder) or real_path(folder) in known:  # noqa: PTH112  (Path.is_dir raises where a share fails)
                continue
            if self.allow_mass_removal and any(Path(*held).is_relative_to(folder) for held in catalog.folders()):
                continue
            if os.path.lexists(folder):
                raise RootError(f"{folder} is a file, or cannot be reached. Name a folder, or connect its drive.")
            raise RootError(f"{folder} does not exist. Check its name, or connect its drive.")
        self._follow_renamed(folders, before)
        before = catalog.root_paths() if self.renamed else before
        wanted: dict[tuple[int, str], bool] = {}
        for number, place in enumerate(catalog.places([*folders, *shallow], self.ignoring.reaches)):
            wanted[place] = wanted.get(place, False) or number < len(folders)
        roots = {root.id: root for root in catalog.root_paths()}
        self._note_absent([root.path for root in before if root not in roots.values()], roots.values())
        kept = [place for place in wanted if not any(d and _covers(*place, *other) for other, d in wanted.items())]
        return [(roots[i], below, wanted[i, below]) for i, below in kept]

    def _note_absent(self, taken_over: Sequence[Path], roots: Collection[RootPath]) -> None:
        """A root that was taken over while it cannot be seen is a drive below the new one, which is away."""
        for path in filter(has_nothing, taken_over):
            for root in roots:
                if path.is_relative_to(root.path):
                    self.absent[root.id].add("/".join(path.relative_to(root.path).parts))

    def _follow_renamed(self, folders: Sequence[Path], roots: Sequence[RootPath]) -> None:
        """A new folder that holds the photos of a root that is gone, and was not named, is that root."""
        catalog, named = self.library.catalog, set(map(real_path, folders))
        absent = [root for root in roots if root.path not in named and has_nothing(root.path)]
        gone = [root for root in absent if catalog.has_at_least(root.id, 1)]
        new = [folder for folder in named if not any(folder.is_relative_to(root.path) for root in roots)]
        for folder in sorted(new) if gone else []:
            found = scan(folder, exclude=self.library.folder, ignoring=self.ignoring, stop=self.stop)
            for root in gone:
                known = catalog.known(root.id, model_id=self.model_id)
                if not is_renamed(known, found, folder):
                    continue
                catalog.rename_root(root.id, folder)
                self.renamed.add(root.id)
                gone.remove(root)
                self.messages.append(f"{root.path} is gone, and {folder} holds its photos: it is followed there now.")
                break

    def _look(self, root: RootPath, below: str, deep: bool, roots: Sequence[Path]) -> Looked:
        catalog, folder, own = self.library.catalog, root.path / below, self.library.folder
        if not deep and below in catalog.mounts(root.id) and not is_mount(folder):
            deep = True  # whether it is an ordinary folder by now all of its photos say
        others = [other for other in roots if other != root.path]
        found = scan(root.path, below, exclude=own, roots=others, ignoring=self.ignoring, stop=self.stop, deep=deep)
        known = catalog.known(root.id, below, model_id=self.model_id, deep=deep)
        problem = found.problem
        nothing_known = not known and (deep or not catalog.has_at_least(root.id, 1))
        if problem and has_nothing(folder) and (self.allow_mass_removal or nothing_known):
            found, problem = Scan({}, visits=found.visits), None  # something may come into it meanwhile
            if not known:
                self.messages.append(f"{folder} holds no files.")
        if problem:
            catalog.mark_missing([photo.id for photo in known.values()], datetime.now(UTC))
            for_good = f" {advice(folder)}" if known and has_nothing(folder) else ""
            self.messages.append(f"{problem}. Its {counted(len(known), 'photo is', 'photos are')} kept.{for_good}")
        self.messages.extend(found.notes)
        found = self._with_earlier(root, found)
        for path in sorted(set(found.unreadable) - set(found.vanished)):
            self.messages.append(f"{root.path / path} could not be read in full; what is known of it is kept.")
        if not problem:
            found = self._without_drives(root, below, found, known, deep=deep)
        failed = {path for path, photo in known.items() if photo.state == "failed"}
        paired = pair(found, failed, partial(self.agreement.among, root, known, found.files))
        return Looked(root, compare(known, paired.scan, self._written_in(root)), paired, below, problem, deep)

    def _written_in(self, root: RootPath) -> set[str]:
        """Which files of a root were written to."""
        top = os.path.join(root.path, "")  # noqa: PTH118  (asked for each folder of a batch: a Path for each would cost)
        return {path[len(top) :].replace(os.sep, "/") for path in self.written if path.startswith(top)}

    def _with_earlier(self, root: RootPath, found: Scan) -> Scan:
        """Add what went during earlier looks of this run."""
        went = self.went[root.id]
        went.update(found.vanished)
        if not went:
            return found
        self.messages.append(
            f"{counted(len(went), 'file or folder', 'files or folders')} of {root.path} moved or went while it was "
            "looked at; what is known of that is kept until the next run."
        )
        return replace(found, unreadable=tuple({*found.unreadable, *went}), vanished=tuple(went))

    def _without_drives(self, root: RootPath, below: str, found: Scan, known: Collection[str], *, deep: bool) -> Scan:
        """Take folders where a drive or share was mounted at the last look, and is not now, for unreadable.

        One whose photos are all there is an ordinary folder by now.
        """
        catalog, absent = self.library.catalog, self.absent[root.id]
        before = catalog.mounts(root.id) | absent
        inside = {path for path in before if not below or path == below or path.startswith(f"{below}/")}
        looked_at = inside if deep else inside & {below}
        lost = (looked_at & absent if self.allow_mass_removal else looked_at) - set(found.mounts)
        away = {path for path in known if path not in found.files} if lost else set()
        lost = {folder for folder in lost if any(lies_below(path, (folder,)) for path in away)}
        after = (before - looked_at) | set(found.mounts) | lost
        if after != catalog.mounts(root.id):
            catalog.keep_mounts(root.id, after)
        for path in sorted(lost):
            self.messages.append(
                f"{root.path / path} was a drive or share, and is none now. Its photos are kept; connect it. "
                + advice(root.path)
            )
        unreadable, vanished = (*found.unreadable, *sorted(lost)), tuple(set(found.vanished) - lost)
        return replace(found, unreadable=unreadable, vanished=vanished)


def advice(root: Path) -> str:
    """What to run where a root's photos are gone for good; it names the root, since the option speaks of no other."""
    return f"If they are gone for good, run: picsift index {shlex.quote(str(root))} --allow-mass-removal"


def as_known(folder: Path, roots: Collection[Path]) -> Path:
    """The folder as a known root spells it, where the file system tells no case, and both name the same one."""
    resolved = real_path(folder)
    for root in roots:
        depth = len(root.parts)
        top = Path(*resolved.parts[:depth])
        if top != root and folded(str(top)) == folded(str(root)) and _is_same(top, root):
            return root.joinpath(*resolved.parts[depth:])
    return folder


def _covers(root: int, below: str, other_root: int, other: str) -> bool:
    """Whether another place holds this one."""
    return root == other_root and below != other and (not other or below.startswith(f"{other}/"))


def _may_have_moved(looked: Sequence[Looked]) -> bool:
    """Whether known photos are not where they were, or new files may be some that were moved after they were seen."""
    told = [one.changes for one in looked]
    seen = any(one.unchanged or one.changed or one.to_embed or one.to_describe for one in told)
    return any(one.missing or one.vanished or (one.added and seen) for one in told)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
