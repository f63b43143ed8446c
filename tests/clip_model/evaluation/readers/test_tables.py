import os
from pathlib import Path

import pytest

from clip_model.evaluation.readers.examples import Example, Unreadable
from tests.clip_model.evaluation.readers.drawn import picture, read, write

RED = picture("red")


def test_a_table_names_pictures_beside_it(tmp_path):
    write(tmp_path / "pictures/a.png", RED)
    table = write(
        tmp_path / "t.csv",
        '\ufeffFilepath,title,label\r\npictures/a.png,"a dog, red",dog\r\n\r\npictures/gone.png,x,y\r\n,x,y\r\n',
    )
    assert read(table) == [
        Example("pictures/a.png", RED, ".png", "dog", ("a dog, red",)),
        Unreadable("pictures/gone.png", "No such file or directory"),
        Unreadable("line 5", "the row names no picture"),
    ]


def test_tabs_divide_a_tsv(tmp_path):
    write(tmp_path / "a, b.png", RED)
    table = write(tmp_path / "t.tsv", "image\tcaption\na, b.png\tred, and so\n")
    assert read(table) == [Example("a, b.png", RED, ".png", "", ("red, and so",))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "names the columns none"),
        (b"a,b\n1,2\n", "names the columns 'a', 'b'. Expected one of image"),
        (b"image\na.png\n", "names the columns 'image'. Expected"),
        (b"image,label\na.png\n", "line 2: expected 2 cells, got 1"),
        (b'image,label\na.png,"open\n', "line 2: unexpected end of data"),
        (b'image,label\na.png,"' + b"x" * 140_000 + b'"\n', "line 2: field larger than field limit"),
        (b"image,label\n/etc/hostname,x\n", "line 2: '/etc/hostname' leads out of the table's folder"),
        (b"image,label\n../x.png,x\n", "leads out of the table's folder"),
        (b"image,label\na\0b.png,x\n", "line 2"),
        (b"image,label\n\xff\xfe.png,x\n", "is no text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is no text in UTF-8"),
    ],
)
def test_a_hostile_table_is_one_sentence(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path / "t.csv", content))


def test_rows_of_one_picture_are_one_example_with_all_captions(tmp_path):
    write(tmp_path / "a.png", RED)
    write(tmp_path / "b.png", RED)
    table = write(tmp_path / "t.csv", "path,caption,label\na.png,one,\nb.png,two,x\n./a.png,three,y\na.png,,y\n")
    assert read(table) == [
        Example("a.png", RED, ".png", "y", ("one", "three")),
        Example("b.png", RED, ".png", "x", ("two",)),
    ]


def test_a_picture_with_two_labels_is_refused_with_both_lines(tmp_path):
    table = write(tmp_path / "t.csv", "path,label\na.png,cat\nb.png,cat\na.png,dog\n")
    with pytest.raises(ValueError, match=r"line 4: the label 'dog' of 'a.png', which is 'cat' in line 2"):
        read(table)


def test_the_way_to_the_table_may_lead_up(tmp_path, monkeypatch):
    table = write(tmp_path / "data" / "t.csv", "path,label\na.png,cat\n")
    write(tmp_path / "data" / "a.png", RED)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert read("../data/t.csv") == read(table) == [Example("a.png", RED, ".png", "cat")]


def test_a_whole_path_below_the_table_is_taken_however_the_table_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "data" / "a.png", RED)
    table = write(tmp_path / "data" / "t.csv", f"path,label\n{path},cat\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("data")
    for named in (table, "data/t.csv", "link/t.csv", "data/../data/t.csv"):
        assert read(named) == [Example(str(path), RED, ".png", "cat")]


def descriptors():
    return len(list(Path("/dev/fd").iterdir()))


def test_rows_that_name_folders_leave_no_file_open(tmp_path):
    rows = [f"d{number},x\n" for number in range(20)]
    for number in range(20):
        (tmp_path / f"d{number}").mkdir()
    table = write(tmp_path / "t.csv", "path,label\n" + "".join(rows))
    before = descriptors()
    assert {one.reason for one in read(table)} == {"not a regular file"}
    assert descriptors() == before


def test_a_lack_of_descriptors_is_no_fault_of_a_picture(tmp_path, monkeypatch):
    write(tmp_path / "a.png", RED)
    table = write(tmp_path / "t.csv", "path,label\na.png,x\n")

    def none_left(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        read(table)


@pytest.mark.parametrize("row", ["x" * 3_000_000, '"a\n",' * 600_000])
def test_a_row_without_end_is_refused_early(tmp_path, row):
    with pytest.raises(ValueError, match="a row is longer than 1,048,576 characters"):
        read(write(tmp_path / "t.csv", "path,label\n" + row))


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has several columns 'label'"):
        read(write(tmp_path / "t.csv", "path,label,Label\na.png,x,y\n"))
