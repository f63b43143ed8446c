"""`picsift evaluate`, run in this process: figures, messages, exit statuses."""

import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from app.cli import commands, evaluating
from tests.clip_model.evaluation.readers.drawn import picture, shard


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch, tiny_model_path):
    (tmp_path / "config.toml").write_text("")
    said = {"CONFIG": tmp_path / "config.toml", "LIBRARY": tmp_path / "library", "DEVICE": "cpu", "PRECISION": "fp32",
            "CONVERTED_MODELS": tmp_path / "models", "MODEL": tiny_model_path}  # fmt: skip
    for name, value in said.items():
        monkeypatch.setenv(f"PICSIFT_{name}", str(value))


@pytest.fixture
def evaluate(monkeypatch, capsys):
    def run(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["picsift", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            commands.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


@pytest.fixture
def folders(tmp_path):
    for name in ("red", "green", "blue"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for side in (20, 40, 60, 80):
            Image.new("RGB", (side, 48), name).save(tmp_path / "set" / name / f"{side}.jpg")
    return tmp_path / "set"


def test_figures_and_what_is_left_out(evaluate, folders, tmp_path, tiny_model_path):
    status, out, err = evaluate(folders)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{tiny_model_path} on cpu in fp32"
    assert lines[2] == "all: 12 pictures, 12 with one of 3 labels"
    assert lines[3].startswith("  zero-shot        top1 ")
    assert lines[3].endswith(" 16 templates")
    assert lines[4].startswith("  linear probe     top1 ")
    assert lines[5:] == [
        "  no zero-shot top5: among 3 classes it is always 100 %",
        "  no recall: no picture has a caption",
    ]
    assert not (tmp_path / "library").exists()


def test_one_json_document_with_the_keys_of_the_manual(evaluate, folders):
    (folders / "red" / "cut.jpg").write_bytes(picture(format="JPEG")[:200])
    status, out, err = evaluate(folders, "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert list(document) == ["data", "model", "sources", "templates", "unreadable"]
    assert list(document["model"]) == ["name", "fingerprint", "device", "precision"]
    assert document["unreadable"] == [
        {"name": "red/cut.jpg", "reason": "truncated or overwritten: the JPEG file ends before its picture does"}
    ]
    manual = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text()
    keys = {*document, *document["model"], *document["sources"][0], *document["sources"][0]["linear_probe"]}
    assert [key for key in keys if f"`{key}`" not in manual] == []


def test_pictures_are_held_to_the_bound_of_indexing(evaluate, folders, monkeypatch):
    monkeypatch.setenv("PICSIFT_MAX_PIXELS", "2000")
    status, out, err = evaluate(folders, "--no-probe")
    assert status == 0
    assert "all: 6 pictures" in out
    assert "picsift: 6 could not be read and took no part:" in err
    assert "blue/60.jpg: 60 x 48 pixels" in err


def test_pictures_are_held_to_the_memory_of_indexing(evaluate, folders, monkeypatch):
    monkeypatch.setenv("PICSIFT_DECODE_MEMORY_MB", "64")
    Image.new("RGB", (6000, 6000), "red").save(folders / "red" / "large.png")
    status, out, err = evaluate(folders, "--no-probe")
    assert status == 0
    assert "all: 12 pictures" in out
    assert "red/large.png: it needs more than 64 MB to decode" in err


def test_labels_that_the_probe_leaves_out_are_told(evaluate, folders):
    (folders / "white").mkdir()
    Image.new("RGB", (20, 48), "white").save(folders / "white" / "a.jpg")
    out = evaluate(folders)[1]
    assert "  no linear probe of labels with one picture: 1 of 4 labels has one picture each" in out


def test_of_many_unreadable_ones_ten_are_named(evaluate, folders):
    for number in range(12):
        (folders / "red" / f"bad-{number}.jpg").write_bytes(b"nothing")
    lines = evaluate(folders)[2].splitlines()
    assert lines[0] == "picsift: 12 could not be read and took no part:"
    assert len(lines) == 12
    assert lines[-1] == "picsift:   and 2 more; --json lists all"


def test_a_hostile_name_steers_no_terminal(evaluate, folders):
    (folders / "red" / "a\x1b[31m.jpg").write_bytes(b"nothing")
    (folders / "ev\x1bil").mkdir()
    (folders / "ev\x1bil" / "a.jpg").write_bytes((folders / "red" / "20.jpg").read_bytes())
    _, out, err = evaluate(folders)
    assert "\x1b" not in out + err
    assert r"red/a\x1b[31m.jpg" in err


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("/etc/0.png", b"x")], "leads out of the archive. Shards hold relative names alone.\n"),
        ([("0.png", b"x")], "holds no picture that can be read: set.tar: 0: this is text, not a picture.\n"),
    ],
)
def test_a_hostile_archive_is_one_sentence(evaluate, tmp_path, members, message):
    status, out, err = evaluate(shard(tmp_path / "set.tar", members))
    assert (status, out) == (1, "")
    assert err.startswith("picsift: ")
    assert err.endswith(message)
    assert err.count("\n") == 1


def test_an_archive_that_is_cut_is_one_sentence(evaluate, tmp_path):
    path = shard(tmp_path / "set.tar", [(f"{number}.png", picture()) for number in range(3)])
    os.truncate(path, 1024)
    status, out, err = evaluate(path)
    assert (status, out) == (1, "")
    assert err == f"picsift: {path} is cut short or damaged after 1,024 bytes. Fetch it again.\n"


def test_a_bad_template_is_named_with_its_line(evaluate, folders, tmp_path):
    (tmp_path / "t.txt").write_text("a {}\na dog\n")
    status, out, err = evaluate(folders, "--templates", tmp_path / "t.txt")
    assert (status, out) == (1, "")
    assert err == f"picsift: {tmp_path}/t.txt, line 2: expected a template with the gap {{}}, got 'a dog'.\n"


def test_what_is_not_there_is_one_sentence(evaluate, folders, tmp_path):
    assert evaluate(tmp_path / "none.tar")[::2] == (1, f"picsift: there is no data set at {tmp_path}/none.tar.\n")
    status, _, err = evaluate(folders, "--templates", tmp_path / "none.txt")
    assert (status, err) == (1, f"picsift: {tmp_path}/none.txt: No such file or directory.\n")
    assert evaluate(folders, "--model", "nonesuch")[0] == 1
    assert evaluate()[0] == 2


def test_one_of_each_is_told_in_the_singular():
    known = {"source": "", "photos": 1, "labelled": 0, "classes": 0, "captioned": 1, "captions": 1}
    told = evaluating._lines(known, 0)
    assert [next(told), next(told)] == ["", "all: 1 picture, 1 with 1 caption"]
