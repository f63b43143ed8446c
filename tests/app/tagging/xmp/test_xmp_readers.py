"""Sidecars as the real readers read them: exiftool and exiv2, where they are installed."""

import json
import shutil
import subprocess

import pytest

from app.tagging.xmp.merge import Wanted, merged

TAGS = (("animal", "dog"), ("名前", "café 🐕"), ("a, b", 'c "d"'), ("x|y", "p/q"), ("w" * 80,), ("<&>",))


def reader(program):
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}, which is not installed")
    return program


@pytest.fixture
def sidecar(tmp_path):
    file = tmp_path / "photo.jpg.xmp"
    file.write_bytes(merged(None, Wanted(add=TAGS, rating=4, title="T, ü", description="D", albums=("Trip",))))
    return file


def test_exiftool_reads_every_field(sidecar):
    command = [reader("exiftool"), "-j", "-struct", "-charset", "utf8", "-XMP:all", str(sidecar)]
    [found] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert found["TagsList"] == ["animal/dog", "名前/café 🐕", 'a, b/c "d"', "x|y/p∕q", "w" * 80, "<&>"]
    assert found["HierarchicalSubject"] == ["animal|dog", "名前|café 🐕", 'a, b|c "d"', "x∣y|p/q", "w" * 80, "<&>"]
    assert found["Subject"] == [level for path in TAGS for level in path]
    assert (found["Rating"], found["Title"], found["Description"]) == (4, "T, ü", "D")
    assert found["Collections"] == [{"CollectionName": "Trip"}]


def test_exiftool_finds_nothing_wrong(sidecar):
    command = [reader("exiftool"), "-validate", "-warning", "-error", "-a", str(sidecar)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Error" not in said
    assert "Warning " not in said.replace("Validate", "")


def test_exiftool_writes_on_what_was_merged_and_we_on_what_it_wrote(sidecar):
    from app.tagging.xmp.merge import described

    command = [
        reader("exiftool"),
        "-q",
        "-overwrite_original",
        "-XMP-tiff:Make=Cam",
        "-XMP-dc:Subject+=more",
        str(sidecar),
    ]
    subprocess.run(command, check=True)
    assert set(described(sidecar.read_bytes()).tags) == {*TAGS, ("more",)}
    after = merged(sidecar.read_bytes(), Wanted(add=(("new", "one"),), remove=(("animal", "dog"),)))
    sidecar.write_bytes(after)
    read = [reader("exiftool"), "-j", "-struct", str(sidecar)]
    [found] = json.loads(subprocess.run(read, capture_output=True, check=True).stdout)
    assert found["Make"] == "Cam"
    assert "new/one" in found["TagsList"]
    assert "animal/dog" not in found["TagsList"]


def test_exiv2_reads_every_tag(sidecar):
    command = [reader("exiv2"), "-PXkt", "pr", str(sidecar)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for expected in ("animal|dog", "animal/dog", "名前/café 🐕", "x∣y|p/q", "w" * 80, "<&>", "T, ü"):
        assert expected in said
