import gzip
import io
import os
import tarfile

import pytest

from clip_model.evaluation.readers import shards
from clip_model.evaluation.readers.examples import Example, Unreadable
from clip_model.evaluation.readers.shards import read_shard
from tests.clip_model.evaluation.readers.drawn import picture, shard

RED = picture("red")


def test_members_of_one_name_are_one_example(tmp_path):
    path = shard(
        tmp_path / "a.tar",
        [
            ("000.png", RED),
            ("000.cls", b"7\n"),
            ("000.txt", "a red one\nso röt\n".encode()),
            ("001.cls", b"dog"),
            ("001.JPG", RED),
            ("001.vec.npy", b"of no meaning here"),
            ("._001.txt", b"left by a Mac"),
            ("sub/002.jpg", RED),
            ("sub/002.json", b'{"caption": "a tree", "Label": 3, "width": 12}'),
        ],
    )
    assert list(read_shard(path)) == [
        Example("a.tar: 000", RED, ".png", "7", ("a red one", "so röt")),
        Example("a.tar: 001", RED, ".jpg", "dog", ()),
        Example("a.tar: sub/002", RED, ".jpg", "3", ("a tree",)),
    ]


def test_an_example_without_its_picture_or_words_is_named(tmp_path):
    path = shard(
        tmp_path / "a.tar",
        [
            ("0.cls", b"1"),
            ("1.png", RED),
            ("1.jpg", RED),
            ("2.png", RED),
            ("2.json", b"{"),
            ("v.5.png", RED),
            ("3.png", RED),
        ],
    )
    *unreadable, whole = read_shard(path)
    assert [(one.name, one.reason) for one in unreadable] == [
        ("a.tar: 0", "the example holds no pictures"),
        ("a.tar: 1", "the example holds 2 pictures"),
        ("a.tar: 2", "its text is no UTF-8, or its document no JSON"),
        ("a.tar: v", "the example holds no pictures"),
    ]
    assert all(isinstance(one, Unreadable) for one in unreadable)
    assert whole.name == "a.tar: 3"


def link(kind):
    info = tarfile.TarInfo("000.png")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("/etc/0.png", RED)], r"'/etc/0.png' leads out of the archive"),
        ([("../0.png", RED)], r"'../0.png' leads out of the archive"),
        ([link(tarfile.SYMTYPE)], "'000.png' is a link or a device"),
        ([link(tarfile.LNKTYPE)], "'000.png' is a link or a device"),
        ([link(tarfile.FIFOTYPE)], "'000.png' is a link or a device"),
        ([("0.txt", bytes((1 << 20) + 1))], r"'0.txt' is larger \(1,048,577 bytes\) than the bound of 1,048,576"),
    ],
)
def test_what_no_shard_holds_ends_the_reading(tmp_path, members, message):
    with pytest.raises(ValueError, match=message):
        list(read_shard(shard(tmp_path / "a.tar", members)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_a_member_that_claims_to_be_huge_is_refused_unread(tmp_path):
    info = tarfile.TarInfo("0.jpg")
    info.size = 3 << 30
    path = tmp_path / "a.tar"
    with path.open("wb") as file:
        file.write(info.tobuf())
        file.truncate(info.size + 4096)  # sparse: it takes nothing on the disk
    with pytest.raises(ValueError, match=r"'0\.jpg' is larger"):
        list(read_shard(path))


@pytest.fixture
def three(tmp_path):
    return shard(tmp_path / "a.tar", [(f"{number}.png", RED) for number in range(3)])


@pytest.mark.parametrize("kept", [0, 100, 512, 512 + 10, 1024, 1024 + 512, 2048, 3000])
def test_a_cut_archive_is_told_wherever_it_is_cut(three, kept):
    assert len(list(read_shard(three))) == 3
    os.truncate(three, kept)
    with pytest.raises(ValueError, match=r"a\.tar is cut short or damaged"):
        list(read_shard(three))


def test_a_damaged_header_is_no_end(three):
    data = bytearray(three.read_bytes())
    data[1024:1100] = b"x" * 76
    three.write_bytes(data)
    with pytest.raises(ValueError, match="damaged after 1,024 bytes"):
        list(read_shard(three))


@pytest.mark.parametrize("content", [b"", b"\x89PNG no archive", bytes(range(256)) * 8])
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cut short or damaged"):
        list(read_shard(path))


def test_a_compressed_archive_is_not_blown_up(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(gzip.compress(bytes(1 << 20)))
    with pytest.raises(ValueError, match=r"is compressed\. Shards are plain tar archives"):
        list(read_shard(path))


def test_headers_within_headers_end_in_a_sentence(tmp_path):
    info = tarfile.TarInfo("x")
    info.type = tarfile.GNUTYPE_LONGNAME
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) * 5000 + bytes(1024))
    with pytest.raises(ValueError, match="cut short or damaged"):
        list(read_shard(path))


def test_an_archive_is_read_as_it_is_asked_for(tmp_path):
    """What is wrong with the second member does not keep the first one back."""
    path = shard(tmp_path / "a.tar", [("0.png", RED), ("1.png", RED), ("/2.png", RED)])
    reading = read_shard(path)
    assert next(reading).name == "a.tar: 0"
    with pytest.raises(ValueError, match="leads out"):
        list(reading)


def test_an_empty_archive_holds_nothing(tmp_path):
    data = io.BytesIO()
    tarfile.open(fileobj=data, mode="w").close()
    path = tmp_path / "a.tar"
    path.write_bytes(data.getvalue())
    assert list(read_shard(path)) == []


@pytest.mark.parametrize("between", [0, 512, 3 << 20])
def test_joined_archives_are_read_to_the_last(tmp_path, between):
    one, two = (shard(tmp_path / f"{name}.tar", [("0.png", RED), ("0.cls", name.encode())]) for name in "ab")
    whole = tmp_path / "whole.tar"
    whole.write_bytes(one.read_bytes() + bytes(between) + two.read_bytes())
    assert [(one.name, one.label) for one in read_shard(whole)] == [("whole.tar: 0", "a"), ("whole.tar: 0", "b")]


def test_what_follows_an_archive_and_is_none_is_told(three):
    three.write_bytes(three.read_bytes() + b"x" * 700)
    with pytest.raises(ValueError, match=r"a\.tar is cut short or damaged after 10,240 bytes"):
        list(read_shard(three))


def test_members_of_one_name_twice_are_not_merged(tmp_path):
    path = shard(tmp_path / "a.tar", [("0.png", RED), ("0.cls", b"a"), ("0.PNG", RED), ("0.cls", b"b"), ("1.png", RED)])
    unreadable, whole = read_shard(path)
    assert unreadable == Unreadable("a.tar: 0", "several members side by side are called so and end in .cls")
    assert whole.name == "a.tar: 1"


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_member_with_holes_is_refused_unread(tmp_path, format):
    info = tarfile.TarInfo("0.png")
    if format == tarfile.GNU_FORMAT:
        info.type = tarfile.GNUTYPE_SPARSE
        head = bytearray(info.tobuf(format))
        head[483:495] = b"%011o\0" % (200 << 20)  # the size with its holes
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
        data = bytes(head)
    else:
        info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(200 << 20), "GNU.sparse.name": "0.png"}
        data = info.tobuf(format)
    path = tmp_path / "a.tar"
    path.write_bytes(data + bytes(10_240))
    with pytest.raises(ValueError, match=r"'0\.png' is a file with holes"):
        list(read_shard(path))


def test_an_example_is_bounded_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "MAX_PICTURE_BYTES", 2 * len(RED))
    path = shard(tmp_path / "a.tar", [("0.png", RED), ("0.jpg", RED), ("0.gif", RED)])
    with pytest.raises(ValueError, match="the members of '0' are larger than"):
        list(read_shard(path))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'{"label": [1, 2]}', "its label is a list of 2; a picture has one, a text or a whole number"),
        (b'{"caption": {"en": "a dog"}}', "a caption is of the kind dict; expected a text, or a list of texts"),
    ],
)
def test_a_document_with_other_words_is_named(tmp_path, document, reason):
    (one,) = read_shard(shard(tmp_path / "a.tar", [("0.png", RED), ("0.json", document)]))
    assert one == Unreadable("a.tar: 0", reason)
