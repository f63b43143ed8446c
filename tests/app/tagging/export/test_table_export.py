"""Tables of tags: every row, every column, read back as it was, and no file written over."""

import csv
import io
import json
import os

import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from app.cli import commands as cli
from app.tagging.export import table_export
from app.tagging.export.table_export import COLUMNS, Table
from app.tagging.export.way_back import ExportError
from indexer.catalog.tag_records import Decision, Suggestion
from tests.app.colours import World
from tests.app.serving import photo_id

ODD = ('a, "b"', "c/d|e\\")


def ignore(done, total):
    pass


@pytest.fixture
def library(services):
    catalog = services.library.catalog
    red, yellow = photo_id(services, "red.png"), photo_id(services, "yellow.jpg")
    catalog.tags.decide([Decision(red, ODD, "accepted", "lightroom"), Decision(red, ("no",), "rejected")])
    number = catalog.tags.make([("sunny",)])[("sunny",)]
    catalog.tags.suggest(catalog.active_model().id, [yellow], [number], [Suggestion(yellow, number, 0.25, 0.75)])
    return services.library


def by_tag(rows):
    return {row["tag"]: row for row in rows}


def check(rows, world):
    assert set(rows) == {r'a, "b"/c\/d|e' + r"\\", "no", "sunny"}
    sunny = rows["sunny"]
    assert sunny["path"] == str(world.photos / "trip" / "yellow.jpg")
    assert (sunny["state"], sunny["origin"], sunny["model"]) == ("suggested", "model", "colours")
    assert (float(sunny["confidence"]), float(sunny["score"])) == (0.75, 0.25)
    assert sunny["taken_at"] == "2021-07-04T10:11:12"
    assert rows["no"]["state"] == "rejected"
    assert not rows["no"]["model"]


def test_csv_is_read_back(library, world, tmp_path):
    assert table_export.write(library, Table.csv, tmp_path / "t.csv", ignore) == 2
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        check(by_tag(reader), world)
    assert tuple(reader.fieldnames) == COLUMNS


def test_json_lines_have_a_photo_each(library, world, tmp_path):
    table_export.write(library, Table.jsonl, tmp_path / "t.jsonl", ignore)
    photos = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert len(photos) == 2
    check(by_tag(photo | tag for photo in photos for tag in photo["tags"]), world)


def test_parquet_is_read_back_with_its_types(library, world, tmp_path):
    table_export.write(library, Table.parquet, tmp_path / "t.parquet", ignore)
    table = parquet.read_table(tmp_path / "t.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert str(table.schema.field("confidence").type) == "double"
    check(by_tag(table.to_pylist()), world)


def test_every_column_stands_in_the_documents():
    from pathlib import Path

    told = (Path(__file__).parents[4] / "docs/export.md").read_text()
    assert [name for name in COLUMNS if f"`{name}`" not in told] == []


@pytest.mark.parametrize("kind", Table)
def test_no_file_is_written_over_and_a_failure_leaves_nothing(library, tmp_path, kind, monkeypatch):
    there = tmp_path / "there"
    there.write_text("mine")
    with pytest.raises(ExportError, match="is there already"):
        table_export.write(library, kind, there, ignore)
    assert there.read_text() == "mine"
    with pytest.raises(ExportError, match="cannot be written"):
        table_export.write(library, kind, tmp_path / "no folder" / "t", ignore)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match="No space left"):
        table_export.write(library, kind, tmp_path / "new", ignore)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library", "photos", "there"]


def test_text_goes_to_standard_output_and_parquet_does_not(library):
    out = io.StringIO()
    table_export.stream(library, Table.csv, out)
    assert out.getvalue().startswith("path,tag,state,")
    with pytest.raises(ExportError, match="--output"):
        table_export.stream(library, Table.parquet, out)


@pytest.mark.parametrize("kind", Table)
def test_names_that_are_no_text_do_not_break_a_table(tmp_path, kind):
    world = World(tmp_path)
    name = os.fsdecode(b"caf\xe9.png")
    world.write(name, "red")
    world.index()
    library = world.services().library
    library.catalog.tags.decide([Decision(1, ("x",), "accepted")])
    assert table_export.write(library, kind, tmp_path / "t", ignore) == 1
    content = (tmp_path / "t").read_bytes()
    if kind is Table.csv:
        assert b"caf\xe9.png" in content
    elif kind is Table.jsonl:
        assert json.loads(content)["path"].endswith(name)
    else:
        assert parquet.read_table(tmp_path / "t").to_pylist()[0]["path"].endswith("caf\ufffd.png")


def test_the_command_writes_a_file_or_standard_output(library, world, tmp_path, monkeypatch):
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))

    def run(*arguments):
        done = CliRunner().invoke(cli.app, ["export", *map(str, arguments)])
        return done.exit_code, done.stdout, done.stderr

    status, out, _ = run("--table", "csv")
    assert status == 0
    check(by_tag(csv.DictReader(io.StringIO(out))), world)
    status, out, err = run("--table", "jsonl", "--output", tmp_path / "t.jsonl")
    assert (status, out) == (0, "")
    assert "the tags of 2 photos" in err
    assert run("--output", tmp_path / "x")[0] == 2
    assert run("--table", "csv", "--dry-run")[0] == 2
