"""What two looks at a folder tell."""

import os
from pathlib import Path

from indexer.catalog.records import FoundFile
from indexer.watching.changes import Kind
from indexer.watching.polling import Poller, differences, restless, unseen
from tests.indexer.following import wait_until


def look(**sizes):
    return {name: FoundFile(name, size, 1) for name, size in sizes.items()}


def test_a_file_is_seen_until_two_looks_agree_then_done():
    moving = set()
    assert list(differences({}, look(a=1), moving)) == [(Kind.SEEN, "a")]
    assert list(differences(look(a=1), look(a=2), moving)) == [(Kind.SEEN, "a")]
    assert list(differences(look(a=2), look(a=2), moving)) == [(Kind.DONE, "a")]
    assert list(differences(look(a=2), look(a=2), moving)) == []
    assert moving == set()


def test_a_file_that_is_not_there_any_more_is_gone():
    moving = {"a"}
    assert list(differences(look(a=1, b=1), look(b=1), moving)) == [(Kind.GONE, "a")]
    assert moving == set()


def test_a_folder_of_which_the_list_changed_is_restless():
    assert restless({"": 1, "a": 2, "b": 3}, {"": 1, "a": 4, "c": 5}) == {"a"}


def test_a_file_that_came_and_went_between_two_looks_is_told_by_its_folder(tmp_path):
    noted = []
    poller = Poller(lambda kind, path: noted.append((kind, path)), library=tmp_path / "l", settle_s=60)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "old.jpg").write_bytes(b"1")
    poller.add(tmp_path)
    (place,) = poller._places.values()
    (tmp_path / "x" / "passing.jpg").write_bytes(b"1")
    (tmp_path / "x" / "passing.jpg").unlink()
    os.utime(tmp_path / "x", (1, 1))  # whatever the file system's clock is
    poller._look(place)
    assert noted == [(Kind.LISTING, str(tmp_path / "x"))]
    poller._look(place)
    (tmp_path / "x" / "new.jpg").write_bytes(b"1")
    poller._look(place)
    assert noted[1:] == [(Kind.SEEN, str(tmp_path / "x" / "new.jpg"))]
    poller.close()


def test_what_lies_below_a_folder_that_cannot_be_listed_is_as_it_was():
    before = {"a/b/c.jpg": 1, "a/bc.jpg": 2, "d.jpg": 3}
    assert unseen(before, ("a/b",)) == {"a/b/c.jpg": 1}
    assert unseen(before, ("",)) == before
    assert unseen(before, ()) == {}


def test_it_looks_quickly_while_something_moves_and_rarely_else(tmp_path):
    noted = []
    poller = Poller(
        lambda kind, path: noted.append((kind, Path(path).name)), library=tmp_path / "l", settle_s=0.02, slowest_s=0.2
    )
    (tmp_path / "old.jpg").write_bytes(b"1")
    poller.add(tmp_path)
    (place,) = poller._places.values()
    wait_until(lambda: place.interval_s >= 0.2, "it has come to rest")
    (tmp_path / "new.jpg").write_bytes(b"1")
    wait_until(lambda: (Kind.DONE, "new.jpg") in noted, "the new file is whole")
    poller.close()
    assert noted == [(Kind.SEEN, "new.jpg"), (Kind.DONE, "new.jpg")]
