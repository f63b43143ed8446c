import os

import pytest

from clip_model.evaluation.readers.data_sets import open_data_set
from clip_model.evaluation.readers.examples import Example, Unreadable
from tests.clip_model.evaluation.readers.drawn import picture, read, shard, write

RED = picture("red")


def test_shards_by_pattern_list_and_folder(tmp_path):
    for number in range(8, 12):
        shard(tmp_path / f"s-{number:03}.tar", [(f"{number}.png", RED)])
    names = [f"s-{number:03}.tar: {number}" for number in range(8, 12)]
    assert [one.name for one in read(tmp_path / "s-{008..011}.tar")] == names
    assert [one.name for one in read(tmp_path / "s-0{10,08}.tar")] == [names[2], names[0]]
    assert [one.name for one in read(tmp_path)] == names
    assert [one.name for one in read(tmp_path / "s-009.tar", tmp_path / "s-008.tar")] == names[1::-1]


@pytest.mark.parametrize(
    ("pattern", "error", "message"),
    [
        ("s-{0..999999999999}.tar", ValueError, "more than 100,000 files"),
        ("s-{0..999}{0..999}.tar", ValueError, "more than 100,000 files"),
        ("s-{9..1}.tar", ValueError, r"the smaller first, as in \{000..012\}, got \{9..1\}"),
        ("s-{a..c}.tar", ValueError, "expected two numbers"),
        ("s-{0..1}.tar", FileNotFoundError, "there is no data set at .*s-0.tar"),
        ("none.csv", FileNotFoundError, "there is no data set at"),
    ],
)
def test_a_pattern_that_stands_for_nothing_is_refused_before_anything_is_read(tmp_path, pattern, error, message):
    with pytest.raises(error, match=message):
        open_data_set([str(tmp_path / pattern)], ())


def test_files_of_several_kinds_are_refused(tmp_path):
    named = [str(shard(tmp_path / "a.tar", [])), str(write(tmp_path / "a.csv", RED))]
    with pytest.raises(ValueError, match="files of one kind"):
        open_data_set(named, ())
    with pytest.raises(ValueError, match="files of one kind"):
        open_data_set([str(write(tmp_path / "a.zip", RED))], ())


def test_class_folders_come_in_turn(tmp_path):
    for name in ("cat/a.png", "cat/b.PNG", "cat/deep/c.png", "red_fox/a.png", "cat/.DS_Store", ".git/x.png"):
        write(tmp_path / name, RED)
    write(tmp_path / "cat/notes.txt", "no picture")
    write(tmp_path / "loose.png", RED)
    write(tmp_path / "README.md", "what this is")
    items = read(tmp_path)
    assert [(one.name, one.label) for one in items if isinstance(one, Example)] == [
        ("cat/a.png", "cat"), ("red_fox/a.png", "red_fox"), ("cat/b.PNG", "cat"), ("cat/deep/c.png", "cat"),
    ]  # fmt: skip
    assert [one for one in items if isinstance(one, Unreadable)] == [
        Unreadable("loose.png", "it lies in no class folder"),
        Unreadable("cat/notes.txt", "it is not named like a picture"),
    ]
    assert items[1] == Example("cat/a.png", RED, ".png", "cat")


def test_splits_are_no_classes(tmp_path):
    write(tmp_path / "train/cat/a.png", RED)
    write(tmp_path / "val/cat/a.png", RED)
    with pytest.raises(ValueError, match=r"holds splits, not classes. Name one of them: .*train"):
        read(tmp_path)
    assert [one.label for one in read(tmp_path / "val")] == ["cat"]


@pytest.mark.parametrize(("more", "what"), [("cat/a.png", "folders"), ("b.parquet", ".parquet files")])
def test_a_folder_of_two_kinds_is_refused(tmp_path, more, what):
    shard(tmp_path / "stray.tar", [("0.png", RED)])
    assert len(read(tmp_path)) == 1
    write(tmp_path / more, RED)
    with pytest.raises(ValueError, match=f"holds .tar files and {what}: name the files"):
        read(tmp_path)


def test_a_folder_of_nothing_is_refused(tmp_path):
    write(tmp_path / "a.png", RED)
    with pytest.raises(ValueError, match="holds no class folders"):
        read(tmp_path)


def test_a_pipe_among_the_pictures_is_named_and_not_waited_for(tmp_path):
    write(tmp_path / "cat/a.png", RED)
    os.mkfifo(tmp_path / "cat/b.png")
    (tmp_path / "cat/c.png").symlink_to(tmp_path / "gone.png")
    assert read(tmp_path)[1:] == [
        Unreadable("cat/b.png", "not a regular file"),
        Unreadable("cat/c.png", "No such file or directory"),
    ]


@pytest.mark.parametrize("name", ["f.tar", "f.csv", "f.parquet"])
def test_a_pipe_is_no_data_set_and_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} is not a regular file"):
        read(tmp_path / name)


def test_a_class_that_may_not_be_listed_is_not_left_out(tmp_path, monkeypatch):
    for name in ("cat/a.png", "dog/a.png", "dog/deep/b.png"):
        write(tmp_path / name, RED)
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(ValueError, match="dog/deep cannot be listed: Permission denied"):
        read(tmp_path)


def test_a_link_to_a_folder_is_no_class_and_is_named(tmp_path):
    write(tmp_path / "cat/a.png", RED)
    (tmp_path / "self").symlink_to(".")
    (tmp_path / "cat" / "up").symlink_to("..")
    assert read(tmp_path) == [
        Unreadable("self", "a link to a folder is not followed"),
        Example("cat/a.png", RED, ".png", "cat"),
        Unreadable("cat/up", "a link to a folder is not followed"),
    ]
