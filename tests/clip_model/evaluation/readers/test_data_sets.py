import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_model.evaluation.readers.data_sets import open_data_set
from clip_model.evaluation.readers.examples import Example, Unreadable
from tests.clip_model.evaluation.readers.drawn import picture, shard

RED = picture("red")


def read(*named):
    return list(open_data_set([str(one) for one in named], {".png", ".jpg"}))


def write(path, content=RED):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


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
    named = [str(shard(tmp_path / "a.tar", [])), str(write(tmp_path / "a.csv"))]
    with pytest.raises(ValueError, match="files of one kind"):
        open_data_set(named, ())
    with pytest.raises(ValueError, match="files of one kind"):
        open_data_set([str(write(tmp_path / "a.zip"))], ())


def test_class_folders_come_in_turn(tmp_path):
    for name in ("cat/a.png", "cat/b.PNG", "cat/deep/c.png", "red_fox/a.png", "cat/.DS_Store", ".git/x.png"):
        write(tmp_path / name)
    write(tmp_path / "cat/notes.txt", "no picture")
    write(tmp_path / "loose.png")
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
    write(tmp_path / "train/cat/a.png")
    write(tmp_path / "val/cat/a.png")
    with pytest.raises(ValueError, match=r"holds splits, not classes. Name one of them: .*train"):
        read(tmp_path)
    assert [one.label for one in read(tmp_path / "val")] == ["cat"]


def test_a_folder_of_nothing_is_refused(tmp_path):
    write(tmp_path / "a.png")
    with pytest.raises(ValueError, match="holds no class folders"):
        read(tmp_path)


def test_a_pipe_among_the_pictures_is_named_and_not_waited_for(tmp_path):
    write(tmp_path / "cat/a.png")
    os.mkfifo(tmp_path / "cat/b.png")
    (tmp_path / "cat/c.png").symlink_to(tmp_path / "gone.png")
    assert read(tmp_path)[1:] == [
        Unreadable("cat/b.png", "not a regular file"),
        Unreadable("cat/c.png", "No such file or directory"),
    ]


def test_a_table_names_pictures_beside_it(tmp_path):
    write(tmp_path / "pictures/a.png")
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
    write(tmp_path / "a, b.png")
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


def test_parquet_with_bytes_or_hugging_faces_structure(tmp_path):
    rows = [{"image": {"bytes": RED, "path": None}, "label": 3, "caption": "red"}, {"image": None, "label": 4}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    pq.write_table(
        pa.Table.from_pylist([{"image": RED, "captions": ["a", " "], "source": "flickr", "label": ""}]),
        tmp_path / "b.parquet",
    )
    assert read(tmp_path) == [
        Example("a.parquet, row 1", RED, "", "3", ("red",)),
        Unreadable("a.parquet, row 2", "the row holds no picture"),
        Example("b.parquet, row 1", RED, "", "", ("a",), "flickr"),
    ]


@pytest.mark.parametrize(("content", "message"), [(b"PAR1 not PAR1", "cannot be read as Parquet"), (b"", "Parquet")])
def test_what_is_no_parquet_is_one_sentence(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path / "a.parquet", content))


def test_parquet_without_the_columns_is_refused(tmp_path):
    pq.write_table(pa.table({"image": [b"x"], "other": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"has the columns 'image', 'other'. Expected one of image"):
        read(tmp_path / "a.parquet")
