"""Ignore rules: what `.gitignore` patterns mean for a library of photos, and what is passed over without any."""

import os
from pathlib import Path

import pytest

from indexer.folders.ignoring import FILE_NAME, IgnoreFileError, Ignoring, is_skipped, read_rules
from indexer.folders.scanner import scan

PATHS = ["a.jpg", "raw/a.jpg", "raw/deep/b.jpg", "private/c.jpg", "private/ok/d.jpg", "x.tmp.jpg", "y/raw/e.jpg"]


def write(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def rules(root, text, folder=""):
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / FILE_NAME).write_bytes(text if isinstance(text, bytes) else text.encode())


def listed(root, **options):
    return sorted(scan(root, **options).files)


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("", []),
        ("# raw/\n\n", []),
        ("raw/", ["raw/a.jpg", "raw/deep/b.jpg", "y/raw/e.jpg"]),
        ("/raw/", ["raw/a.jpg", "raw/deep/b.jpg"]),
        ("raw/deep", ["raw/deep/b.jpg"]),
        ("*.tmp.jpg\r\n", ["x.tmp.jpg"]),
        ("\ufeff*.tmp.jpg", ["x.tmp.jpg"]),
        ("a.jpg", ["a.jpg", "raw/a.jpg"]),
        ("/a.jpg", ["a.jpg"]),
        ("y/**/e.jpg", ["y/raw/e.jpg"]),
        ("**/deep/", ["raw/deep/b.jpg"]),
        ("private/**\n!private/c.jpg", ["private/ok/d.jpg"]),
        ("private/*\n!private/ok/", ["private/c.jpg"]),
        ("private\n!private/c.jpg", ["private/c.jpg", "private/ok/d.jpg"]),  # as in git: the folder is not entered
        ("*\n!*/\n!a.jpg", ["private/c.jpg", "private/ok/d.jpg", "raw/deep/b.jpg", "x.tmp.jpg", "y/raw/e.jpg"]),
        ("a.jpg/", []),  # a pattern that ends in a slash is for folders
        ("[ax]*.jpg", ["a.jpg", "raw/a.jpg", "x.tmp.jpg"]),
    ],
)
def test_patterns_mean_what_they_mean_to_git(tmp_path, text, gone):
    write(tmp_path, *PATHS)
    rules(tmp_path, text)
    assert listed(tmp_path) == sorted(set(PATHS) - set(gone))
    ignoring = Ignoring()
    assert sorted(path for path in PATHS if ignoring.is_ignored(tmp_path, path)) == sorted(gone)


def test_a_file_in_a_folder_holds_below_it_and_goes_before_those_above(tmp_path):
    write(tmp_path, "a.jpg", "sub/a.jpg", "sub/b.jpg", "sub/deep/a.jpg", "other/b.jpg")
    rules(tmp_path, "a.jpg")
    rules(tmp_path, "!a.jpg\n/b.jpg", "sub")
    assert listed(tmp_path) == ["other/b.jpg", "sub/a.jpg", "sub/deep/a.jpg"]
    assert listed(tmp_path, subfolder="sub/deep") == ["sub/deep/a.jpg"]
    assert scan(tmp_path, "sub").files.keys() == {"sub/a.jpg", "sub/deep/a.jpg"}


def test_the_settings_hold_in_every_root_and_a_file_goes_before_them(tmp_path):
    write(tmp_path, "a.jpg", "screenshots/b.jpg", "kept/screenshots/c.jpg")
    ignoring = Ignoring(("screenshots/",))
    assert listed(tmp_path, ignoring=ignoring) == ["a.jpg"]
    rules(tmp_path, "!screenshots/", "kept")
    assert listed(tmp_path, ignoring=ignoring) == ["a.jpg", "kept/screenshots/c.jpg"]
    assert not ignoring.is_ignored(tmp_path, "kept/screenshots", is_dir=True)
    assert ignoring.is_ignored(tmp_path, "screenshots", is_dir=True)


@pytest.mark.parametrize(
    "name",
    [
        "@eaDir",
        ".thumbnails",
        ".Trash-1000",
        "._a.jpg",
        ".picasaoriginals",
        "Cat Previews.lrdata",
        "#recycle",
        "Thumbs.db",
    ],
)
def test_what_programs_keep_for_themselves_is_passed_over(name):
    assert is_skipped(name)
    assert Ignoring().is_ignored(Path("/nowhere"), f"sub/{name}/a.jpg")
    assert Ignoring(hidden=True).by_default(name)


def test_a_negation_undoes_a_default_for_what_it_names_alone(tmp_path):
    write(tmp_path, ".hidden/a.jpg", ".hidden/.b.jpg", ".hidden/@eaDir/c.jpg", ".other/d.jpg", "e.jpg")
    assert listed(tmp_path) == ["e.jpg"]
    assert listed(tmp_path, ignoring=Ignoring(("!.hidden/",))) == [".hidden/a.jpg", "e.jpg"]
    rules(tmp_path, "!/.hidden/\n!/.hidden/.b.jpg")
    assert listed(tmp_path) == [".hidden/.b.jpg", ".hidden/a.jpg", "e.jpg"]


def test_hidden_files_are_taken_where_they_are_asked_for_but_no_trash(tmp_path):
    write(
        tmp_path,
        ".a.jpg",
        ".secret/b.jpg",
        ".Trash-1000/c.jpg",
        "._a.jpg",
        ".thumbnails/d.jpg",
        "e.jpg",
        "@eaDir/f.jpg",
    )
    assert listed(tmp_path, ignoring=Ignoring(hidden=True)) == [".a.jpg", ".secret/b.jpg", "e.jpg"]


@pytest.mark.parametrize("content", ["a.jpg\n".encode("utf-16"), b"\\", b"a\n!\n", b"#" * 2_000_000])
def test_an_ignore_file_that_makes_no_sense_closes_its_folder_and_is_named(tmp_path, content):
    write(tmp_path, "a.jpg", "sub/b.jpg", "sub/deep/c.jpg")
    rules(tmp_path, content, "sub")
    found = scan(tmp_path)
    assert (list(found.files), found.unreadable) == (["a.jpg"], ("sub",))
    assert str(tmp_path / "sub" / FILE_NAME) in found.notes[0]
    assert Ignoring().is_ignored(tmp_path, "sub/deep/c.jpg")
    assert FILE_NAME in (scan(tmp_path, "sub/deep").problem or "")


def test_an_ignore_file_that_cannot_be_read_closes_its_folder(tmp_path):
    write(tmp_path, "a.jpg", "sub/b.jpg")
    rules(tmp_path, "c.jpg", "sub")
    broken = tmp_path / "sub" / FILE_NAME
    with pytest.raises(IgnoreFileError, match="cannot be read"):
        read_rules(broken / "not a folder", "")
    broken.unlink()
    broken.mkdir()  # as with git, a folder of that name says nothing
    assert listed(tmp_path) == ["a.jpg", "sub/b.jpg"]


def test_names_that_are_no_utf8_can_be_named(tmp_path):
    write(tmp_path, os.fsdecode(b"caf\xe9.jpg"), "b.jpg")
    rules(tmp_path, b"caf\xe9.*\n")
    assert listed(tmp_path) == ["b.jpg"]


def test_a_link_to_a_folder_is_passed_over_like_one_and_holds_the_rules_around_it(tmp_path):
    write(tmp_path / "out", "o.jpg", "skip.jpg")
    write(tmp_path / "root", "a.jpg")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "out")
    rules(tmp_path / "root", "skip.jpg")
    assert listed(tmp_path / "root") == ["a.jpg", "link/o.jpg"]
    rules(tmp_path / "root", "link/")
    assert listed(tmp_path / "root") == ["a.jpg"]
