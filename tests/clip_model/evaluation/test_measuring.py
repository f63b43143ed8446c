"""Data sets of plain colours, measured with a model that sees the colour and nothing else: figures known by hand."""

import io

import numpy as np
import pytest
from PIL import Image

from clip_model.evaluation.measuring import measure
from tests.clip_model.evaluation.readers.drawn import picture, shard

COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def decode(example):
    if not example.picture.startswith(b"\x89PNG"):
        raise ValueError("no picture")
    return np.asarray(Image.open(io.BytesIO(example.picture)).convert("RGB").resize((1, 1)))


def unit(rows):
    rows = np.array(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def embed_squares(squares):
    return unit([square[0, 0] for square in squares])


def embed_texts(texts):
    return unit([next((COLOURS[word] for word in text.split() if word in COLOURS), (90, 89, 88)) for text in texts])


def evaluate(*data, texts=embed_texts, **wanted):
    asked = {"decode": decode, "suffixes": {".png"}, "train": [], "templates": None, "class_names": None, "limit": None,
             "probe": True, "on_progress": lambda done, total: None}  # fmt: skip
    return measure(embed_squares, texts, [str(one) for one in data], {**asked, **wanted})


@pytest.fixture
def folders(tmp_path):
    """Four pictures of each of three colours, the last lime one lying among the red."""
    for name in ("red", "lime", "blue"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for number in range(4):
        for name in ("red", "lime", "blue"):
            at = "red" if (name, number) == ("lime", 3) else name
            (tmp_path / "set" / at / f"{name}-{number}.png").write_bytes(picture(name))
    return tmp_path / "set"


def test_class_folders_by_hand(folders):
    result = evaluate(folders)
    (source,) = result["sources"]
    assert (source["photos"], source["labelled"], source["classes"], source["captioned"]) == (12, 12, 3, 0)
    assert source["zero_shot"] == {"top1": pytest.approx(11 / 12)}
    assert (source["linear_probe"]["fitted_on"], source["linear_probe"]["measured_on"]) == (6, 6)
    assert source["text_to_image"] is None
    assert source["left_out"] == {
        "zero_shot.top5": "among 3 classes it is always 100 %",
        "retrieval": "no picture has a caption",
    }
    assert result["unreadable"] == []


def captioned(path, captions):
    """A shard with a picture for each (colour, captions)."""
    members = []
    for number, (colour, texts) in enumerate(captions):
        members += [(f"{number}.png", picture(colour)), (f"{number}.txt", texts.encode())]
    return shard(path, members)


def test_captions_by_hand(tmp_path):
    path = captioned(tmp_path / "a.tar", [("red", "so red\na lime one"), ("lime", "lime"), ("blue", "lime")])
    (source,) = evaluate(path)["sources"]
    # "a lime one" and blue's "lime" find the lime picture; of the two right ones, each ties with nobody.
    assert source["text_to_image"] == {"recall@1": pytest.approx(2 / 4)}
    # Red finds "so red"; lime finds three texts that tie, two of them wrong; blue scores all its own as low as others.
    assert source["image_to_text"] == {"recall@1": pytest.approx(1 / 3)}
    assert source["left_out"]["text_to_image.recall@5"] == "of 3 pictures it is always 100 %"
    assert source["left_out"]["image_to_text.recall@10"] == "of 4 captions it is always 100 %"
    assert source["left_out"]["zero_shot"] == source["left_out"]["linear_probe"] == "no picture has a label"


def test_many_captions_have_all_recalls(tmp_path):
    path = captioned(tmp_path / "a.tar", [("red", f"red {number}") for number in range(12)])
    (source,) = evaluate(path)["sources"]
    assert source["text_to_image"] == {"recall@1": 0, "recall@5": 0, "recall@10": 0}, "all tie"


def test_a_caption_a_row_finds_the_one_picture_that_it_is_about(tmp_path):
    rows = []
    for colour in COLOURS:
        (tmp_path / f"{colour}.png").write_bytes(picture(colour))
        rows += [f"{colour}.png,so {colour} number {number}\n" for number in range(5)]
    (tmp_path / "t.csv").write_text("filepath,title\n" + "".join(rows))
    (source,) = evaluate(tmp_path / "t.csv")["sources"]
    assert (source["photos"], source["captions"]) == (4, 20)
    assert source["text_to_image"]["recall@1"] == source["image_to_text"]["recall@1"] == 1.0


def test_labels_that_are_called_alike_are_not_told_apart(folders):
    (folders / "so_red").mkdir()
    (folders / "so red").mkdir()
    for name in ("so_red", "so red"):
        (folders / name / "a.png").write_bytes(picture("red"))
    left_out = evaluate(folders)["sources"][0]["left_out"]
    assert left_out["zero_shot"] == (
        "two labels, 'so red' and 'so_red', are both called 'so red': use --class-names FILE"
    )


def test_a_label_of_one_picture_takes_no_part_in_the_probe(folders):
    for number in range(5):
        (folders / f"single-{number}").mkdir()
        (folders / f"single-{number}" / "a.png").write_bytes(picture("white"))
    (source,) = evaluate(folders)["sources"]
    assert (source["linear_probe"]["fitted_on"], source["linear_probe"]["measured_on"]) == (6, 6)
    assert source["left_out"]["linear_probe.singles"] == (
        "5 of 8 labels have one picture each: none is left to measure on"
    )


def test_labels_of_one_picture_alone_give_no_probe(tmp_path):
    for colour in COLOURS:
        (tmp_path / colour).mkdir()
        (tmp_path / colour / "a.png").write_bytes(picture(colour))
    (source,) = evaluate(tmp_path)["sources"]
    assert source["linear_probe"] is None
    assert source["left_out"]["linear_probe"].startswith("too few pictures")
    assert "linear_probe.singles" not in source["left_out"]


def test_one_class_gives_no_accuracy(tmp_path):
    path = shard(
        tmp_path / "a.tar", [member for n in "01" for member in ((f"{n}.png", picture()), (f"{n}.cls", b"red"))]
    )
    (source,) = evaluate(path)["sources"]
    assert source["zero_shot"] is source["linear_probe"] is None
    assert source["left_out"]["zero_shot"] == "all pictures have one label, 'red'; at least two are needed"
    assert "one label, 'red'" in source["left_out"]["linear_probe"]


@pytest.fixture
def numbered(tmp_path):
    members = []
    for number, colour in enumerate(["red", "lime", "blue", "blue"] * 3):
        members += [(f"{number}.png", picture(colour)), (f"{number}.cls", f"{number % 4:02}".encode())]
    return shard(tmp_path / "n.tar", members)


def test_labels_that_are_numbers_want_names(numbered, tmp_path):
    assert "--class-names" in evaluate(numbered)["sources"][0]["left_out"]["zero_shot"]
    names = tmp_path / "names.txt"
    names.write_text("red\nlime\nblue\nwhite\nnone\nother\n")
    (source,) = evaluate(numbered, class_names=names)["sources"]
    assert source["classes"] == 6, "also those that no picture has"
    assert source["zero_shot"] == {"top1": pytest.approx(3 / 4), "top5": 1.0}
    names.write_text("red\nlime\n")
    with pytest.raises(ValueError, match="has none for the label '02'"):
        evaluate(numbered, class_names=names)


def test_templates_of_a_person_are_used_and_no_others(folders, tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("{} so\n")
    asked = []

    def texts(sentences):
        asked.extend(sentences)
        return embed_texts(sentences)

    assert evaluate(folders, texts=texts, templates=path)["templates"] == 1
    assert asked == ["blue so", "lime so", "red so"]


def test_the_probe_is_fitted_on_another_data_set(folders, numbered, tmp_path):
    pure = [(f"{number}.{ending}", content) for number, colour in enumerate(["red", "lime", "blue"] * 5)
            for ending, content in (("png", picture(colour)), ("cls", colour.encode()))]  # fmt: skip
    (source,) = evaluate(folders, train=[str(shard(tmp_path / "pure.tar", pure))])["sources"]
    assert (source["linear_probe"]["fitted_on"], source["linear_probe"]["measured_on"]) == (15, 12)
    assert source["linear_probe"]["accuracy"] == pytest.approx(11 / 12)
    (source,) = evaluate(folders, train=[str(numbered)])["sources"]
    assert source["left_out"]["linear_probe"] == "no picture to fit on has the label 'blue'"
    with pytest.raises(ValueError, match="choose one"):
        evaluate(folders, train=[str(numbered)], probe=False)
    (source,) = evaluate(folders, probe=False)["sources"]
    assert source["left_out"]["linear_probe"] == "not asked for"


def test_what_cannot_be_read_is_named_and_the_rest_measured(folders):
    (folders / "red" / "b.png").write_bytes(b"nothing")
    (folders / "red" / "c.txt").write_bytes(b"nothing")
    result = evaluate(folders)
    assert result["sources"][0]["photos"] == 12
    assert result["unreadable"] == [
        {"name": "red/b.png", "reason": "no picture"},
        {"name": "red/c.txt", "reason": "it is not named like a picture"},
    ]


def test_nothing_that_can_be_read_is_an_error(tmp_path):
    path = shard(tmp_path / "a.tar", [("0.png", b"nothing"), ("0.cls", b"red")])
    with pytest.raises(ValueError, match=r"a.tar holds no picture that can be read: a.tar: 0: no picture"):
        evaluate(path)
    with pytest.raises(ValueError, match=r"a.tar holds no picture that can be read$"):
        evaluate(shard(tmp_path / "a.tar", []))


def test_a_limit_holds_all_classes_and_reads_no_more(folders, tmp_path):
    assert evaluate(folders, limit=6)["sources"][0]["classes"] == 3
    # The third member would end the reading with an error.
    path = shard(tmp_path / "a.tar", [("0.png", picture()), ("0.txt", b"red"), ("1.png", picture()), ("/2.png", b"")])
    with pytest.raises(ValueError, match="leads out"):
        evaluate(path)
    assert evaluate(path, limit=1)["sources"][0]["photos"] == 1


def test_sources_of_a_parquet_file_are_measured_apart(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"image": picture(colour), "label": colour, "source": source} for source in ("b", "a") for colour in COLOURS
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    result = evaluate(tmp_path / "a.parquet", limit=3)
    assert [(source["source"], source["photos"]) for source in result["sources"]] == [("a", 3), ("b", 3)]


def test_a_limit_reaches_every_source_also_behind_rows_without_one(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"image": picture(colour), "label": colour, "source": source} for source in (None, "a", "b")
            for colour in COLOURS]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    result = evaluate(tmp_path / "a.parquet", limit=2)
    assert [(source["source"], source["photos"]) for source in result["sources"]] == [("", 2), ("a", 2), ("b", 2)]


def test_more_than_a_batch_keeps_its_order(tmp_path):
    colours = ["red", "lime", "blue"]
    members = []
    for number in range(150):
        members += [(f"{number}.png", picture(colours[number % 3], size=(1 + number, 1))),
                    (f"{number}.cls", colours[number % 3].encode())]  # fmt: skip
    told = []
    (source,) = evaluate(
        shard(tmp_path / "a.tar", members), on_progress=lambda done, total: told.append((done, total))
    )["sources"]
    assert source["zero_shot"] == {"top1": 1.0}
    assert source["linear_probe"]["accuracy"] == 1.0
    assert told == [(64, 0), (128, 0), (150, 0)]
