"""Merging of file events, with times as given: no disk, no clock."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.watching.changes import MANY_FOLDERS, Changes, Kind, cover, is_temporary, matters


def gathered(*events, settle=2.0, patience=60.0):
    changes = Changes(settle, patience)
    for now, kind, path in events:
        changes.note(kind, path, now)
    return changes


def taken(changes, now):
    """All folders of a batch, however they are to be looked at."""
    return set().union(*changes.take(now))


@pytest.mark.parametrize(
    ("kind", "path", "whole", "own"),
    [
        (Kind.DONE, "/p/a.jpg", set(), {"/p"}),
        (Kind.GONE, "/p/a.jpg", set(), {"/p"}),
        (Kind.WRITTEN, "/p/a.jpg", set(), {"/p"}),
        (Kind.FOLDER, "/p/a", {"/p/a"}, set()),
        (Kind.LISTING, "/p/a", set(), {"/p/a"}),
        (Kind.DONE, "/p/.picsiftignore", {"/p"}, set()),
        (Kind.GONE, "/p/.picsiftignore", {"/p"}, set()),
        (Kind.WRITTEN, "/p/.picsiftignore", {"/p"}, set()),
    ],
)
def test_an_event_of_a_file_concerns_no_folder_below_unless_it_is_an_ignore_file(kind, path, whole, own):
    assert gathered((0, kind, path)).take(2) == (whole, own)


@pytest.mark.parametrize(
    ("events", "due", "folders"),
    [
        ([(0, Kind.DONE, "/p/a.jpg")], 2, {"/p"}),
        ([(0, Kind.WRITTEN, "/p/a.jpg")], 2, {"/p"}),
        ([(0, Kind.WRITTEN, "/p/a.jpg"), (1, Kind.DONE, "/p/a.jpg")], 3, {"/p"}),
        ([(0, Kind.GONE, "/p/a.jpg"), (1, Kind.DONE, "/q/a.jpg")], 3, {"/p", "/q"}),
        ([(0, Kind.FOLDER, "/p/new")], 2, {"/p/new"}),
        ([(0, Kind.WRITTEN, "/p/a"), (1, Kind.FOLDER, "/p/a")], 3, {"/p", "/p/a"}),
        ([(float(t), Kind.DONE, f"/p/{t}.jpg") for t in range(10)], 11, {"/p"}),
        ([(0, Kind.SEEN, "/p/a.jpg")], 60, set()),
        ([(0, Kind.SEEN, "/p/a.jpg"), (5, Kind.DONE, "/p/a.jpg")], 7, {"/p"}),
    ],
)
def test_a_batch_is_due_when_all_is_still(events, due, folders):
    changes = gathered(*events)
    assert changes.due_at() == due
    assert taken(changes, due - 0.001) == set()
    assert taken(changes, due) == folders


def test_nothing_is_due_where_nothing_happened():
    assert Changes(2, 60).due_at() is None
    assert taken(Changes(2, 60), 1e9) == set()


def test_a_batch_is_taken_once():
    changes = gathered((0, Kind.DONE, "/p/a.jpg"))
    assert taken(changes, 2) == {"/p"}
    assert changes.due_at() is None


def test_a_stream_that_never_ends_is_taken_when_patience_does_and_what_grows_waits():
    changes = Changes(2, 10)
    changes.note(Kind.DONE, "/p/done.jpg", 0)
    for now in range(11):
        changes.note(Kind.WRITTEN, "/q/growing.jpg", now)
    assert taken(changes, 10) == {"/p"}
    assert changes.is_growing("/q/growing.jpg", 10)
    assert not changes.is_growing("/p/done.jpg", 10)
    assert changes.due_at() == 12
    assert taken(changes, 12) == {"/q"}
    assert changes.waiting == 0


def test_a_file_that_is_polled_grows_until_two_looks_agree():
    changes = gathered((0, Kind.SEEN, "/p/a.jpg"))
    assert taken(changes, 60) == set()
    assert changes.is_growing("/p/a.jpg", 1e9)
    changes.note(Kind.DONE, "/p/a.jpg", 61)
    assert not changes.is_growing("/p/a.jpg", 61)
    assert taken(changes, 63) == {"/p"}


def test_a_folder_that_takes_the_name_of_a_growing_file_is_looked_for_in_its_parent_too():
    changes = gathered((0, Kind.WRITTEN, "/p/a"), (0, Kind.FOLDER, "/p/a"))
    assert taken(changes, 60) == {"/p", "/p/a"}


events = st.lists(
    st.tuples(st.floats(0, 5), st.sampled_from(Kind), st.sampled_from(["/p/a", "/p/b", "/q/c"])), max_size=30
)


@given(events)
@example([(0.0, Kind.WRITTEN, "/p/a"), (0.0, Kind.FOLDER, "/p/a")])  # the file is gone from /p
@example([(0.0, Kind.SEEN, "/p/a"), (0.0, Kind.FOLDER, "/p/a")])
def test_no_change_is_ever_forgotten(steps):
    """Whatever comes in whichever order, each folder with a change is in some batch once all is closed."""
    changes, now, seen, wanted = Changes(2, 10), 0.0, set(), set()
    for pause, kind, path in steps:
        now += pause
        seen |= taken(changes, now)
        changes.note(kind, path, now)
        wanted.add(path if kind in (Kind.FOLDER, Kind.LISTING) else path[:2])
        if kind is Kind.SEEN:
            changes.note(Kind.DONE, path, now)
    while (due := changes.due_at()) is not None:
        seen |= taken(changes, due)
    assert seen == wanted


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("a.jpg", True), ("A.HEIC", True), ("a.xmp", True), (".picsiftignore", True), ("a.txt", False),
        (".a.jpg", False), ("~$a.jpg", False), ("a.jpg.part", False), ("a.jpg.crdownload", False),
        (".syncthing.a.jpg.tmp", False), ("~syncthing~a.jpg", False), (".~lock.a.jpg#", False), ("a.jpg~", False),
    ],
)  # fmt: skip
def test_names_that_count(name, counts):
    assert matters(name) is counts


def test_temporary_names():
    assert all(map(is_temporary, ("a.part", "a.jpg.TMP", "~$a.jpg", "a.crdownload", ".syncthing.a.jpg.tmp")))
    assert not any(map(is_temporary, ("a.jpg", "part.jpg", "tmp.jpg", "~a.jpg")))


@pytest.mark.parametrize(
    ("folders", "there", "covering"),
    [
        (["/r/a"], ["/r/a"], ["/r/a"]),
        (["/r/a", "/r/a/b", "/r/a/b/c"], ["/r/a", "/r/a/b", "/r/a/b/c"], ["/r/a"]),
        (["/r/a", "/r/ab"], ["/r/a", "/r/ab"], ["/r/a", "/r/ab"]),
        (["/r/a-b", "/r/a", "/r/a/c"], ["/r/a-b", "/r/a", "/r/a/c"], ["/r/a", "/r/a-b"]),
        (["/r/gone/deep"], ["/r"], ["/r"]),
        (["/r/x/gone"], ["/r", "/r/x"], ["/r/x"]),
        (["/r"], [], ["/r"]),
        (["/elsewhere/a"], ["/elsewhere/a"], []),
        (["/r/.inner/a", "/r/b"], ["/r/.inner/a", "/r/b"], ["/r/.inner/a", "/r/b"]),
        ([f"/r/x/{i}" for i in range(MANY_FOLDERS + 1)], [f"/r/x/{i}" for i in range(99)], ["/r/x"]),
    ],
)
def test_the_smallest_set_of_folders_that_covers(folders, there, covering):
    assert cover(folders, ["/r", "/r/.inner"], lambda folder: folder in there) == (covering, [])


@pytest.mark.parametrize(
    ("folders", "own", "there", "covering"),
    [
        ([], ["/r", "/r/a/b"], ["/r/a/b"], ([], ["/r", "/r/a/b"])),
        (["/r/a"], ["/r", "/r/a", "/r/a/b", "/r/ab"], ["/r/a", "/r/a/b", "/r/ab"], (["/r/a"], ["/r", "/r/ab"])),
        ([], ["/r/gone", "/r/a"], ["/r/a"], (["/r"], [])),
        ([], [f"/r/x/{i}" for i in range(MANY_FOLDERS + 1)], [f"/r/x/{i}" for i in range(99)], (["/r/x"], [])),
    ],
)
def test_folders_of_which_the_files_alone_matter_are_looked_at_by_themselves(folders, own, there, covering):
    assert cover(folders, ["/r"], lambda folder: folder in there, own) == covering


def test_files_that_were_written_to_are_named_until_somebody_has_looked_at_them():
    changes = Changes(settle_s=2, patience_s=60)
    changes.note(Kind.DONE, "/p/closed.jpg", 1)
    changes.note(Kind.WRITTEN, "/p/written.jpg", 1)
    changes.note(Kind.SEEN, "/p/growing.jpg", 1)
    changes.note(Kind.GONE, "/p/gone.jpg", 1)
    assert changes.written == set()  # not before their batch
    changes.take(61.5)
    assert changes.written == {"/p/closed.jpg", "/p/written.jpg"}
    changes.note(Kind.DONE, "/p/growing.jpg", 62)
    changes.take(64)
    assert changes.written == {"/p/closed.jpg", "/p/written.jpg", "/p/growing.jpg"}
