"""Comparing a scan with the catalog: every file is counted once, and nothing unseen is called missing."""

import pytest

from indexer.catalog.records import FoundFile, KnownPhoto
from indexer.catalog.stamps import Restamp
from indexer.folders.comparison import ChangedFile, compare
from indexer.folders.found import Scan


def photo(path: str, size: int = 1, mtime_ns: int = 1, **other: object) -> KnownPhoto:
    values: dict[str, object] = {"content_hash": "h", "state": "ok", "missing": False, "embedded": True}
    return KnownPhoto(id=abs(hash(path)), path=path, size=size, mtime_ns=mtime_ns, **{**values, **other})


def known(*photos: KnownPhoto) -> dict[str, KnownPhoto]:
    return {one.path: one for one in photos}


def found(*paths: str, size: int = 1, mtime_ns: int = 1, **other: object) -> Scan:
    return Scan({path: FoundFile(path, size, mtime_ns) for path in paths}, **other)


def test_a_new_file_is_added():
    changes = compare({}, found("a.jpg"))
    assert changes.added == [FoundFile("a.jpg", 1, 1)]


def test_the_same_stamp_is_unchanged():
    changes = compare(known(photo("a.jpg")), found("a.jpg"))
    assert (changes.unchanged, changes.added, changes.changed, changes.missing) == (1, [], [], [])


def test_another_size_or_another_time_is_changed():
    for scan in (found("a.jpg", size=2), found("a.jpg", mtime_ns=2), found("a.jpg", mtime_ns=0)):
        assert compare(known(photo("a.jpg")), scan).changed == [ChangedFile(scan.files["a.jpg"], photo("a.jpg"))]


def test_a_failed_photo_is_tried_again_only_when_its_file_changed():
    failed = photo("a.jpg", state="failed", embedded=False, content_hash=None)
    same = compare(known(failed), found("a.jpg"))
    assert (same.unchanged_failed, same.unchanged, same.to_embed, same.changed) == (1, 0, [], [])
    other = compare(known(failed), found("a.jpg", size=2))
    assert (other.unchanged_failed, len(other.changed)) == (0, 1)


def test_a_photo_without_the_models_vector_is_to_be_embedded():
    bare = photo("a.jpg", embedded=False)
    changes = compare(known(bare), found("a.jpg"))
    assert (changes.to_embed, changes.unchanged) == ([(found("a.jpg").files["a.jpg"], bare)], 0)


def test_a_photo_that_is_back_is_found_again_and_still_counted():
    gone = photo("a.jpg", missing=True)
    changes = compare(known(gone), found("a.jpg"))
    assert (changes.found_again, changes.unchanged, changes.missing) == ([gone], 1, [])
    changes = compare(known(gone), found("a.jpg", size=2))
    assert (changes.found_again, len(changes.changed)) == ([gone], 1)


def test_a_photo_that_is_not_found_is_missing():
    gone, stays = photo("sub/a.jpg"), photo("b.jpg")
    assert compare(known(gone, stays), found("b.jpg")).missing == [gone]


def test_nothing_below_a_folder_that_could_not_be_read_is_missing():
    photos = known(photo("closed/a.jpg"), photo("closed/deep/b.jpg"), photo("closed2/c.jpg"), photo("closed"))
    missing = compare(photos, found("x.jpg", unreadable=("closed",))).missing
    assert [one.path for one in missing] == ["closed2/c.jpg"]


def test_nothing_behind_a_link_to_a_drive_that_is_gone_is_missing():
    photos = known(photo("drive/a.jpg"), photo("b.jpg"))
    assert [one.path for one in compare(photos, found("x.jpg", broken_links=("drive",))).missing] == ["b.jpg"]


def test_a_root_whose_own_listing_broke_off_misses_nothing():
    assert compare(known(photo("a.jpg"), photo("b/c.jpg")), found("x.jpg", unreadable=("",))).missing == []


def test_a_root_with_a_problem_misses_nothing():
    assert compare(known(photo("a.jpg")), Scan({}, problem="it is empty")).missing == []


def stamped(path: str, ctime_ns: int, inode: int) -> Scan:
    return Scan({path: FoundFile(path, 1, 1, "", ctime_ns, inode)})


def test_a_file_of_which_only_the_time_of_any_change_or_the_number_is_another_is_changed():
    one = photo("a.jpg", ctime_ns=5, inode=6)
    for scan in (stamped("a.jpg", 7, 6), stamped("a.jpg", 5, 7)):
        changes = compare(known(one), scan)
        assert (changes.changed, changes.restamped) == ([ChangedFile(scan.files["a.jpg"], one)], [])


def test_a_photo_whose_wider_stamp_nobody_knows_takes_it_over():
    older = photo("a.jpg", ctime_ns=None, inode=None, sidecar="1-7-a.xmp")
    scan = Scan({"a.jpg": FoundFile("a.jpg", 1, 1, "1-7:9-a.xmp", 5, 6)})
    changes = compare(known(older), scan)
    assert (changes.unchanged, changes.changed, changes.to_describe) == (1, [], [])
    assert changes.restamped == [Restamp(older.id, 5, 6, "1-7:9-a.xmp")]
    other = compare(known(older), Scan({"a.jpg": FoundFile("a.jpg", 1, 1, "2-7:9-a.xmp", 5, 6)}))
    assert ([one.known for one in other.to_describe], other.restamped[0].sidecar) == ([older], "1-7-a.xmp")


@pytest.mark.parametrize(("files", "others", "changed"), [(8, 8, 0), (8, 7, 7), (7, 7, 7), (20, 20, 0)])
def test_a_disk_that_numbers_its_files_anew_changes_nothing(files, others, changed):
    """Where all of a folder's files have other numbers, and enough of them to tell."""
    names = [f"x/{number}.jpg" for number in range(files)]
    photos = known(*(photo(name, ctime_ns=5, inode=10 + n) for n, name in enumerate(names)))
    scan = Scan({p: FoundFile(p, 1, 1, "", 5, (100 if n < others else 10) + n) for n, p in enumerate(names)})
    changes = compare(photos, scan)
    assert (len(changes.changed), len(changes.restamped)) == (changed, others - changed)


def test_a_file_that_was_written_to_is_changed_whatever_its_stamp():
    assert len(compare(known(photo("a.jpg")), found("a.jpg"), {"a.jpg"}).changed) == 1
    beside = photo("x/a.jpg", sidecar="1-7:9-a.xmp")
    scan = Scan({"x/a.jpg": FoundFile("x/a.jpg", 1, 1, "1-7:9-a.xmp")})
    assert len(compare(known(beside), scan, {"x/a.xmp"}).to_describe) == 1
    assert len(compare(known(beside), scan, {"a.xmp"}).to_describe) == 0
