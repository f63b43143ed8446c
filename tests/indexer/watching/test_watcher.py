"""Which way a root is followed, and what happens at the limits of the system."""

import errno
import logging

import pytest

from indexer.folders import mounts
from indexer.folders.mounts import Mount
from indexer.watching.changes import Kind
from indexer.watching.inotify import InotifyTree
from indexer.watching.observing import ObserverTree
from indexer.watching.polling import Poller
from indexer.watching.watcher import Watcher
from tests.indexer.following import wait_until


class Noted(list):
    def __call__(self, kind, path):
        self.append((kind, path))


@pytest.fixture
def noted():
    return Noted()


@pytest.fixture
def root(tmp_path):
    for name in ("a/b", "c", ".hidden", "@eaDir", "library"):
        (tmp_path / "root" / name).mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def watcher(noted, root):
    watcher = Watcher(Poller(noted, library=root / "library", settle_s=0.05))
    yield watcher
    watcher.close()


def limited(monkeypatch, allowed):
    """Let the system give only so many watches: its real limit is everybody's on this machine."""
    from watchdog.observers.inotify_c import InotifyFD

    as_it_is, given = InotifyFD.add_callback, []

    def add_callback(self, path, mask, callback, id_):
        if len(given) >= allowed[0]:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        given.append(path)
        return as_it_is(self, path, mask, callback, id_)

    monkeypatch.setattr(InotifyFD, "add_callback", add_callback)


def test_only_folders_that_are_scanned_are_watched(watcher, root):
    watcher.follow([root])
    assert watcher.ways() == {root: "native"}
    assert sorted(watcher._tree._folders) == [str(root), f"{root}/a", f"{root}/a/b", f"{root}/c"]


def test_at_the_limit_of_watches_the_root_is_polled_and_it_says_what_to_raise(
    watcher, root, noted, monkeypatch, caplog
):
    limited(monkeypatch, [2])
    watcher.follow([root])
    assert watcher.ways() == {root: "polling"}
    assert "sudo sysctl fs.inotify.max_user_watches=" in caplog.text
    assert len(watcher._tree) == 0
    (root / "c" / "x.jpg").write_bytes(b"1")
    wait_until(lambda: (Kind.DONE, f"{root}/c/x.jpg") in noted, "the poller sees it")


def test_a_limit_that_is_reached_later_turns_to_polling_too(watcher, root, noted, monkeypatch, caplog):
    allowed = [100]
    limited(monkeypatch, allowed)
    watcher.follow([root])
    allowed[0] = 0
    (root / "new").mkdir()
    wait_until(lambda: watcher._tree.full, "the limit is noticed")
    assert watcher.check() == [root]
    assert watcher.ways() == {root: "polling"}
    assert "max_user_watches" in caplog.text


def test_without_any_inotify_instance_all_is_polled(noted, root, monkeypatch, caplog):
    def refuse():
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr("indexer.watching.inotify.InotifyFD", refuse)
    watcher = Watcher(Poller(noted, library=root / "library", settle_s=0.05))
    watcher.follow([root])
    watcher.close()
    assert watcher.ways() == {root: "polling"}
    assert "max_user_instances" in caplog.text


def test_a_root_on_a_network_share_is_polled_and_so_is_a_share_below_a_root(watcher, root, noted, monkeypatch):
    monkeypatch.setattr(mounts, "read", lambda: [Mount("/", "ext4"), Mount(f"{root}/a", "nfs4")])
    watcher.follow([root])
    assert watcher.ways() == {root: "native"}
    assert sorted(watcher._tree._folders) == [str(root), f"{root}/c"]
    (root / "a/b/x.jpg").write_bytes(b"1")
    wait_until(lambda: (Kind.DONE, f"{root}/a/b/x.jpg") in noted, "the share is polled")
    watcher.follow([])
    monkeypatch.setattr(mounts, "read", lambda: [Mount("/", "ext4"), Mount(str(root), "cifs")])
    watcher.follow([root])
    assert watcher.ways() == {root: "polling"}


def test_lost_events_mean_a_look_at_everything_and_new_watches(watcher, root, noted):
    watcher.follow([root])
    from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent

    watcher._tree._fd.handle_event(InotifyEvent(-1, InotifyConstants.IN_Q_OVERFLOW, 0, b""))
    assert (Kind.FOLDER, str(root)) in noted
    assert watcher.check() == [root]
    assert watcher.check() == []
    assert len(watcher._tree) == 4


def test_a_link_to_a_folder_outside_is_watched_once_and_a_circle_is_not(watcher, root, noted, tmp_path):
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "again").symlink_to(tmp_path / "outside")
    (root / "a/circle").symlink_to(root)
    watcher.follow([root])
    assert len(watcher._tree) == 5
    (tmp_path / "outside/x.jpg").write_bytes(b"1")
    wait_until(lambda: any(kind is Kind.DONE and path.endswith("/x.jpg") for kind, path in noted), "seen by the link")


@pytest.mark.parametrize("tree_class", [InotifyTree, ObserverTree])
def test_what_happens_to_files_is_told(tree_class, root, noted):
    library = str(root / "library")
    tree = tree_class(noted, lambda folder: folder != library)
    try:
        tree.add(str(root))
        photo = root / "a" / "x.jpg"
        photo.write_bytes(b"1")
        wait_until(lambda: (Kind.DONE, str(photo)) in noted, "closed")
        photo.rename(root / "c" / "y.jpg")
        wait_until(lambda: (Kind.DONE, f"{root}/c/y.jpg") in noted, "moved to")
        wait_until(lambda: (Kind.GONE, str(photo)) in noted, "moved from")
        (root / "c" / "y.jpg").unlink()
        wait_until(lambda: (Kind.GONE, f"{root}/c/y.jpg") in noted, "deleted")
        (root / "new").mkdir()
        wait_until(lambda: (Kind.FOLDER, f"{root}/new") in noted, "a new folder")
        for ignored in (".hidden/z.jpg", "@eaDir/z.jpg", "library/z.jpg", "c/notes.txt", "c/z.jpg.part"):
            (root / ignored).write_bytes(b"1")
        (root / "c/last.jpg").write_bytes(b"1")
        wait_until(lambda: (Kind.DONE, f"{root}/c/last.jpg") in noted, "the last")
    finally:
        tree.close()
    assert not [path for _, path in noted if "z.jpg" in path or "notes" in path]


def test_reading_photos_is_no_event(watcher, root, noted):
    (root / "c" / "x.jpg").write_bytes(b"1")
    watcher.follow([root])
    (root / "c" / "x.jpg").read_bytes()
    list(root.rglob("*"))
    (root / "marker.jpg").write_bytes(b"1")
    wait_until(lambda: noted, "the event that comes after the reading")
    assert {path for _, path in noted} == {str(root / "marker.jpg")}


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.INFO)


class Untouched(dict):
    """Folders of which each is asked for by its path, and never all of them."""

    def values(self):
        raise AssertionError("all watches were looked at for one folder that went")

    items = __iter__ = keys = values


def test_a_folder_that_goes_costs_its_own_watches_alone(watcher, root):
    watcher.follow([root])
    tree = watcher._tree
    tree._folders = Untouched(tree._folders)
    (root / "a/b/x").mkdir()
    wait_until(lambda: f"{root}/a/b/x" in tree._folders, "the new folder is watched")
    (root / "a").rename(root.parent / "elsewhere")
    wait_until(lambda: f"{root}/a" not in tree._folders, "nothing below what went is watched")
    wait_until(lambda: len(tree) == 2, "nor anything else")
    assert dict.keys(tree._folders) == {str(root), f"{root}/c"}
    assert set(tree._below) == {str(root), str(root.parent)}
    tree._folders = dict(dict.items(tree._folders))
