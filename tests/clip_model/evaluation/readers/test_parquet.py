import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_model.evaluation.readers import parquet
from clip_model.evaluation.readers.examples import Example, Unreadable
from tests.clip_model.evaluation.readers.drawn import picture, read, write

RED = picture("red")


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


def labels(tmp_path, column):
    pq.write_table(pa.table({"image": [RED] * len(column), "label": column}), tmp_path / "a.parquet")
    return [one.label if isinstance(one, Example) else one.reason for one in read(tmp_path / "a.parquet")]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([3.0, float("nan"), None]), ["3", "", ""]),
        (pa.array([b"cat", b"\xff"]), ["cat", "its label or a caption is of bytes that are no text in UTF-8"]),
        (
            pa.array([["cat"], [], ["cat", "dog"]]),
            ["cat", "", "its label is a list of 2; a picture has one, a text or a whole number"],
        ),
        (pa.array([0.5]), ["its label is of the kind float; a picture has one, a text or a whole number"]),
        (pa.array([{"a": 1}]), ["its label is of the kind dict; a picture has one, a text or a whole number"]),
    ],
)
def test_what_is_no_label_becomes_no_class(tmp_path, column, expected):
    assert labels(tmp_path, column) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([{"raw": "a dog", "id": 7}], ("a dog",)),
        ([[{"raw": "a dog"}, {"raw": " "}, {"raw": "a cat"}]], ("a dog", "a cat")),
        ([{"text": "a dog"}], "a caption is of the kind dict; expected a text, or a list of texts"),
        ([3], "a caption is of the kind int; expected a text, or a list of texts"),
    ],
)
def test_captions_of_structures(tmp_path, column, expected):
    pq.write_table(pa.table({"image": [RED], "captions": column}), tmp_path / "a.parquet")
    (one,) = read(tmp_path / "a.parquet")
    assert (one.captions if isinstance(one, Example) else one.reason) == expected


def test_a_picture_beyond_the_bound_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_PICTURE_BYTES", len(RED))
    pq.write_table(pa.table({"image": [RED, RED + b"x"], "label": ["a", "b"]}), tmp_path / "a.parquet")
    good, bad = read(tmp_path / "a.parquet")
    assert good.picture == RED
    assert bad.name == "a.parquet, row 2"
    assert f"than the bound of {len(RED)}" in bad.reason
