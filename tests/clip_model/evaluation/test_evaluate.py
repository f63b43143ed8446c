import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from clip_model.evaluation.evaluate import Towers, evaluate_file, evaluate_retrieval, main, read_photos
from clip_model.evaluation.zero_shot import TEMPLATES
from tests.clip_model.training_data import damaged_dds

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def file_of(colour):
    data = io.BytesIO()
    Image.new("RGB", (12, 8), COLOURS[colour]).save(data, "PNG")
    return data.getvalue()


def row(colour, source, label="", captions=()):
    return {"image": file_of(colour), "source": source, "label": label, "captions": list(captions)}


def write(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def colour_of_image(images):
    return [np.asarray(image.resize((1, 1)), dtype=float)[0, 0] + 1 for image in images]


def colour_of_text(texts):
    """Texts that speak of no colour point at grey."""
    return [
        np.array(next((COLOURS[c] for c in COLOURS if c in text.split()), (255, 255, 255)), dtype=float)
        for text in texts
    ]


SEER = Towers(colour_of_image, colour_of_text)


@pytest.fixture
def photos(tmp_path):
    rows = [row(colour, "things", label=colour) for colour in COLOURS for _ in range(4)]
    rows += [row(colour, "stories", captions=[f"a {colour} one", f"so {colour}"]) for colour in COLOURS]
    return write(tmp_path / "val.parquet", rows)


def test_a_model_that_sees_colours_is_right_about_colours(photos):
    results = evaluate_file(SEER, photos, probe=True)
    assert results == dict.fromkeys(
        ["stories.text_to_image.recall@1", "stories.text_to_image.recall@5", "stories.text_to_image.recall@10",
         "stories.image_to_text.recall@1", "stories.image_to_text.recall@5", "stories.image_to_text.recall@10",
         "things.top1", "things.top5", "things.probe"],
        1.0,
    )  # fmt: skip


def test_a_model_that_mixes_up_two_colours_is_measured_so(photos):
    def colour_blind(texts):
        return colour_of_text([text.replace("red", "green") for text in texts])

    results = evaluate_file(Towers(colour_of_image, colour_blind), photos)
    assert results["things.top1"] == pytest.approx(1 / 3), "two equal scores are no right answer"
    assert results["things.top5"] == 1
    assert results["stories.text_to_image.recall@1"] == pytest.approx(2 / 3)
    assert results["stories.image_to_text.recall@1"] == pytest.approx(1 / 3)


def test_a_model_that_sees_nothing_finds_nothing(photos):
    blind = Towers(lambda images: np.ones((len(images), 3)), colour_of_text)
    results = evaluate_file(blind, photos)
    assert results["stories.text_to_image.recall@1"] == 0


def test_photos_without_captions_take_no_part_in_retrieval(tmp_path):
    rows = [row("red", "s"), row("green", "s", captions=["green", "so green"]), row("blue", "s", captions=["blue"])]
    seen = []

    def images(pictures):
        seen.extend(pictures)
        return colour_of_image(pictures)

    results = evaluate_file(Towers(images, colour_of_text), write(tmp_path / "v.parquet", rows))
    assert len(seen) == 3
    assert set(results.values()) == {1.0}


def test_the_texts_of_a_file_are_known_before_they_are_asked_for(photos):
    asked = []

    def texts(batch):
        asked.extend(batch)
        return colour_of_text(batch)

    evaluate_file(Towers(colour_of_image, texts), photos)
    sources = read_photos(photos)
    assert [source.source for source in sources] == ["stories", "things"]
    assert sorted(asked) == sorted(text for source in sources for text in source.texts())
    assert len(asked) == 3 * len(TEMPLATES) + 6


def test_several_captions_count_both_ways():
    images = np.eye(2, dtype=np.float32)
    texts = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    results = evaluate_retrieval(images, texts, np.array([0, 0, 1]))
    assert results["text_to_image.recall@1"] == pytest.approx(2 / 3)
    assert results["image_to_text.recall@1"] == 0.5, "the second picture ties with a caption of the first"


def test_the_command_prints_figures(tiny_model_path, photos, capsys):
    assert main(["--model", str(tiny_model_path), "--val", str(photos), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[-2].endswith("%  things.top1")


def test_the_command_prints_one_json_document(tiny_model_path, photos, capsys):
    assert main(["--model", str(tiny_model_path), "--val", str(photos), "--device", "cpu", "--json", "--probe"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert len(results) == 9
    assert all(0 <= value <= 1 for value in results.values())


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no photos to measure on at"), (b"PAR1 not", "cannot be read as Parquet")]
)
def test_a_file_that_is_none_is_one_sentence(tiny_model_path, tmp_path, capsys, content, message):
    path = tmp_path / "val.parquet"
    if content:
        path.write_bytes(content)
    assert main(["--model", str(tiny_model_path), "--val", str(path)]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_a_file_without_the_columns_is_refused(tmp_path):
    path = tmp_path / "val.parquet"
    pq.write_table(pa.table({"image": [b"x"]}), path)
    with pytest.raises(ValueError, match=r"with the columns \['image', 'captions', 'label', 'source'\]"):
        read_photos(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": b"no picture"}, "picture 1 of 's', from 1, cannot be read: UnidentifiedImageError"),
        ({"image": damaged_dds()}, "picture 1 of 's', from 1, cannot be read: NotImplementedError"),
        ({"image": None}, "row 1, from 1: expected a picture's bytes, and texts, or use 'picsift evaluate'"),
        ({"image": {"bytes": b""}}, "row 1, from 1: expected a picture's bytes"),
        ({"label": 7}, "row 1, from 1: expected a picture's bytes, and texts"),
        ({"source": None}, "row 1, from 1: expected a picture's bytes, and texts"),
        ({"captions": [None]}, "row 1, from 1: expected a picture's bytes, and texts"),
        ({"captions": "one"}, "row 1, from 1: expected a picture's bytes, and texts"),
    ],
)
def test_a_row_that_cannot_be_is_one_sentence(tiny_model_path, tmp_path, capsys, row, message):
    whole = {"image": b"", "captions": ["a"], "label": "red", "source": "s", **row}
    path = write(tmp_path / "odd.parquet", [whole])
    assert main(["--model", str(tiny_model_path), "--val", str(path)]) == 1
    assert message in capsys.readouterr().err


def test_an_unknown_model_is_one_sentence(photos, capsys):
    assert main(["--model", "nonesuch", "--val", str(photos)]) == 1
    assert "unknown model 'nonesuch'" in capsys.readouterr().err
