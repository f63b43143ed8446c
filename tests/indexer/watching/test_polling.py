"""What two looks at a folder tell."""

from pathlib import Path

from indexer.catalog.records import FoundFile
from indexer.watching.changes import Kind
from indexer.watching.polling import Poller, differences, unseen
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
