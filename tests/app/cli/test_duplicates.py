"""`picsift duplicates` as people and scripts meet it."""

import json
import shutil
import sys

import pytest

from app.cli import commands
from tests.app.colours import World
from tests.app.duplicates.pictures import scene


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    scene(1).save(world.photos / "a.png")
    shutil.copyfile(world.photos / "a.png", world.photos / "a\ncopy.png")
    scene(1).resize((160, 120)).save(world.photos / "small.png")
    scene(2).save(world.photos / "alone.png")
    world.write("white.png", (255, 255, 255))
    world.index()
    return world


@pytest.fixture
def duplicates(world, monkeypatch, capsys):
    def run(*arguments):
        capsys.readouterr()
        command = ["picsift", "duplicates", *arguments, "--library", str(world.settings.library)]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            commands.main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_a_line_for_each_photo_in_a_pipe(duplicates, world):
    status, out, err = duplicates()
    photos = world.photos
    odd = json.dumps(str(photos / "a\ncopy.png"))
    assert out == f"1\tbest\t{photos}/a.png\n1\texact\t{odd}\n1\tnear\t{photos}/small.png\n"
    assert status == 0
    assert "1 group among 5 photos; beside the best ones 1 exact copy, 1 nearly the same" in err
    assert "Nothing was changed. Showing nearly nothing, 1 photo could only be" in err


def test_one_document(duplicates, world):
    status, out, err = duplicates("--json", "--kind", "near")
    document = json.loads(out)
    (group,) = document.pop("groups")
    assert (status, err, document) == (0, "", {"photos": 5, "by_vector": 0, "blank": 1, "hint": None})
    assert group["best"].keys() == {"path", "width", "height", "bytes", "format", "taken_at", "reachable"}
    assert [(one["kind"], one["of"], one["width"]) for one in group["others"]] == [
        ("near", f"{world.photos}/a.png", 160)
    ]


def test_a_table_on_a_terminal(duplicates, monkeypatch, world):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    lines = duplicates("--kind", "exact")[1].splitlines()
    assert lines[0].split()[:3] == ["1", "best", "320x240"]
    assert lines[0].endswith(f"{world.photos}/a.png")
    assert lines[1].split()[0] == "exact"
    assert lines[1].endswith(r"a\ncopy.png")


def test_filters_and_nothing(duplicates):
    status, out, err = duplicates("--name", "alone")
    assert (status, out) == (0, "")
    assert "no duplicates among 1 photo." in err
    status, out, err = duplicates("--folder", "nowhere")
    assert (status, out, err) == (0, "", "picsift: no folder is called 'nowhere'.\n")
    document = json.loads(duplicates("--json", "--folder", "nowhere")[1])
    assert (document["photos"], document["hint"]) == (0, "no folder is called 'nowhere'.")
    assert duplicates("--year", "1901")[2] == "picsift: no photo passes these filters.\n"


@pytest.mark.parametrize("arguments", [["--kind", "same"], ["word"]])
def test_wrong_usage(duplicates, arguments):
    assert duplicates(*arguments)[0] == 2


def test_a_filter_that_is_none_is_said(duplicates):
    status, out, err = duplicates("--after", "yesterday")
    assert (status, out) == (1, "")
    assert "yesterday" in err
