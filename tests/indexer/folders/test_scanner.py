"""Walking folders: what is listed, what is passed over, and what is not taken for absent."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.catalog.records import FoundFile
from indexer.catalog.stamps import storable_ns
from indexer.folders.scanner import StoppedError, is_skipped, scan
from tests.indexer.odd_names import ODD_NAMES

pytestmark = pytest.mark.on_disk  # which lists names in no order, and not as they were made


def write(root: Path, *paths: str) -> None:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_photos_are_listed_with_their_stamp(tmp_path):
    write(tmp_path, "a.jpg", "sub/deep/b.PNG", "sub/notes.txt", "sub/jpg", "no_dot", "c.jpg.bak")
    os.utime(tmp_path / "a.jpg", ns=(5, 1_600_000_000_123_456_789))
    found = scan(tmp_path)
    assert list(found.files) == ["a.jpg", "sub/deep/b.PNG"]
    status = (tmp_path / "a.jpg").stat()
    numbers = (status.st_ctime_ns, status.st_ino)
    assert found.files["a.jpg"] == FoundFile("a.jpg", 1, 1_600_000_000_123_456_789, "", *numbers)
    assert (found.unreadable, found.broken_links, found.problem) == ((), (), None)


def test_an_empty_file_is_listed(tmp_path):
    (tmp_path / "empty.jpg").touch()
    assert scan(tmp_path).files["empty.jpg"].size == 0


def test_names_of_every_kind_are_found_and_lead_back_to_the_file(tmp_path):
    for name in ODD_NAMES:
        (tmp_path / name).write_bytes(b"x")
    files = scan(tmp_path).files
    assert set(files) == set(ODD_NAMES)
    assert all((tmp_path / path).exists() for path in files)


@pytest.mark.parametrize(
    "path",
    [
        *(".hidden.jpg", "._a.jpg", ".git/a.jpg", "@eaDir/a.jpg", ".thumbnails/a.jpg", ".Trash-1000/files/a.jpg"),
        *("lost+found/a.jpg", "$RECYCLE.BIN/a.jpg", "System Volume Information/a.jpg", "Cat Previews.lrdata/a.jpg"),
    ],
)
def test_hidden_and_system_files_are_passed_over(tmp_path, path):
    write(tmp_path, path, "sub/" + path, "kept.jpg")
    assert list(scan(tmp_path).files) == ["kept.jpg"]
    assert any(is_skipped(name) for name in path.split("/"))


def test_the_order_does_not_depend_on_the_order_of_writing(tmp_path):
    paths = ["b/2.jpg", "b/1.jpg", "a.jpg", "c.jpg", "b/a/3.jpg", "a/x.jpg"]
    write(tmp_path / "one", *paths)
    write(tmp_path / "two", *reversed(paths))
    assert list(scan(tmp_path / "one").files) == list(scan(tmp_path / "two").files)


def test_a_subfolder_alone_has_paths_from_the_root(tmp_path):
    write(tmp_path, "a.jpg", "sub/b.jpg", "sub/deep/c.jpg", "subway/d.jpg")
    assert list(scan(tmp_path, "sub").files) == ["sub/b.jpg", "sub/deep/c.jpg"]


def test_the_library_inside_a_root_is_not_entered(tmp_path):
    write(tmp_path / "root", "a.jpg", "library/thumbnails/t.webp", "other/b.jpg")
    assert list(scan(tmp_path / "root", exclude=tmp_path / "root" / "library").files) == ["a.jpg", "other/b.jpg"]
    (tmp_path / "link").symlink_to(tmp_path / "root" / "library")
    assert "library/thumbnails/t.webp" not in scan(tmp_path / "root", exclude=tmp_path / "link").files
    assert "library/thumbnails/t.webp" in scan(tmp_path / "root", exclude=tmp_path / "elsewhere").files


def test_a_link_to_a_file_is_a_photo_and_one_to_nothing_is_none(tmp_path):
    write(tmp_path, "real.jpg")
    (tmp_path / "link.jpg").symlink_to("real.jpg")
    (tmp_path / "dangling.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    found = scan(tmp_path)
    assert list(found.files) == ["link.jpg", "real.jpg"]
    assert (found.unreadable, found.broken_links) == ((), ())


def test_links_in_circles_end(tmp_path):
    write(tmp_path, "sub/a.jpg")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "sub" / "self").symlink_to(tmp_path / "sub")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert list(scan(tmp_path).files) == ["sub/a.jpg"]


def test_a_folder_outside_is_visited_once_however_many_links_lead_there(tmp_path):
    write(tmp_path / "out", "o.jpg", "below/p.jpg")
    (tmp_path / "out" / "back").symlink_to(tmp_path / "root")
    (tmp_path / "out" / "below" / "again").symlink_to(tmp_path / "out")
    write(tmp_path / "root", "r.jpg")
    for name in ("z", "first"):
        (tmp_path / "root" / name).symlink_to(tmp_path / "out")
    assert sorted(scan(tmp_path / "root").files) == ["first/below/p.jpg", "first/o.jpg", "r.jpg"]


def test_a_link_above_the_root_does_not_show_the_root_again(tmp_path):
    write(tmp_path, "root/r.jpg", "beside/b.jpg")
    (tmp_path / "root" / "up").symlink_to(tmp_path)
    assert sorted(scan(tmp_path / "root").files) == ["r.jpg", "up/beside/b.jpg"]


def test_a_link_inside_the_root_is_not_followed_also_when_only_a_subfolder_is_scanned(tmp_path):
    write(tmp_path, "real/a.jpg", "sub/b.jpg")
    (tmp_path / "sub" / "link").symlink_to(tmp_path / "real")
    assert list(scan(tmp_path).files) == ["real/a.jpg", "sub/b.jpg"]
    assert list(scan(tmp_path, "sub").files) == ["sub/b.jpg"]


def test_a_link_to_a_drive_that_is_gone_is_named(tmp_path):
    write(tmp_path, "a.jpg")
    (tmp_path / "drive").symlink_to(tmp_path / "not mounted")
    assert scan(tmp_path).broken_links == ("drive",)


def test_a_pipe_named_like_a_photo_is_no_photo(tmp_path):
    write(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    assert list(scan(tmp_path).files) == ["a.jpg"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "does not exist"),
        (lambda folder: folder.write_bytes(b""), "is not a folder"),
        (lambda folder: folder.mkdir(), "is empty"),
    ],
)
def test_a_root_that_shows_nothing_says_why(tmp_path, make, words):
    make(tmp_path / "root")
    found = scan(tmp_path / "root")
    assert found.files == {}
    assert found.problem is not None and words in found.problem and str(tmp_path / "root") in found.problem


def test_folders_without_permission_are_named_not_taken_for_empty():
    """In a process of its own, which gives up being root, and in a folder that others may enter."""
    code = """
import os, sys, tempfile
from pathlib import Path
from indexer.folders.scanner import scan
with tempfile.TemporaryDirectory() as name:
    root = Path(name)
    root.chmod(0o755)
    for path in ("ok/a.jpg", "closed/b.jpg", "listed/c.jpg"):
        (root / path).parent.mkdir()
        (root / path).write_bytes(b"x")
    (root / "closed" / "inner").mkdir()
    (root / "link").symlink_to(root / "closed" / "inner")
    (root / "closed").chmod(0o000)
    (root / "listed").chmod(0o744)  # names can be read, files cannot be reached
    os.geteuid() or os.seteuid(65534)
    if os.geteuid() == (root / "listed").stat().st_uid:
        (root / "listed").chmod(0o444)
    found = scan(root)
    print(list(found.files), found.unreadable, found.problem)
    print(scan(root, "closed").problem)
    os.getuid() or os.seteuid(0)
    (root / "closed").chmod(0o755)
    (root / "listed").chmod(0o755)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    first, second = done.stdout.splitlines()
    assert first == "['ok/a.jpg'] ('closed', 'link', 'listed') None"
    assert "permission denied" in second


def test_a_time_beyond_64_bits_is_clamped_the_same_way_each_time():
    assert storable_ns(2**70) == 2**63 - 1
    assert storable_ns(-(2**70)) == -(2**63 - 1)
    assert storable_ns(17) == 17


def test_a_subfolder_that_is_not_there_is_a_problem(tmp_path):
    write(tmp_path, "a.jpg")
    assert "does not exist" in (scan(tmp_path, "gone").problem or "")


def test_told_to_stop_it_ends_at_the_next_folder(tmp_path):
    for i in range(5):
        (tmp_path / str(i)).mkdir()
    asked = []
    with pytest.raises(StoppedError):
        scan(tmp_path, stop=lambda: asked.append(1) or len(asked) == 3)
    assert len(asked) == 3


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
@pytest.mark.parametrize("what", ["sub", "", ".picsiftignore"])
def test_a_shortage_of_files_is_no_folder_that_cannot_be_read(tmp_path, monkeypatch, number, what):
    write(tmp_path, "a.jpg", "sub/b.jpg", "sub/.picsiftignore")
    listed, opened = os.scandir, Path.open

    def short(path, then, *args, **options):
        if Path(path) == tmp_path / what or Path(path).name == what:
            raise OSError(number, os.strerror(number))
        return then(path, *args, **options)

    monkeypatch.setattr(os, "scandir", lambda path: short(path, listed))
    monkeypatch.setattr(Path, "open", lambda path, *args, **options: short(path, opened, *args, **options))
    with pytest.raises(OSError, match=os.strerror(number)):
        scan(tmp_path)
