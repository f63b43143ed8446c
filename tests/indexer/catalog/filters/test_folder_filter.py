"""The folder filter: whole names, in order, anywhere or from the top."""

import pytest

from indexer.catalog.filters.folder_filter import matching

ROOT = "/home/ann/Pictures"


@pytest.mark.parametrize(
    ("wanted", "folder", "expected"),
    [
        ("holiday", "2021/Holiday", True),
        ("Holiday/Beach", "2021/holiday/beach/day 1", True),
        ("Holiday/Beach", "2021/holiday/the beach", False),
        ("Holiday/Beach", "Holiday/x/Beach", False),
        ("holi", "2021/Holiday", False),
        ("holiday/", "Holiday", True),
        ("100%", "100%", True),
        ("1%", "100", False),
        ("a_b", "axb", False),
        ("_", "a", False),
        ("pictures", "x", True),
        ("ann/pictures/x", "x", True),
        ("CAFE\u0301", "caf\u00e9", True),
        ("straße", "STRASSE", True),
        ("it's", "It's", True),
        ("\udce9", "\udce9", True),
        ("/home/ann/Pictures/2021", "2021/Holiday", True),
        ("/home/ann/pictures", "", True),
        ("/home/ann/Pictures/2021/", "2021", True),
        ("/home/ann/Pictures/20", "2021", False),
        ("/home/ann/Pictures/2021/../2022", "2022", True),
        ("/2021", "2021", False),
        ("/", "anything", True),
        ("/home/ann/Pictures/\0", "x", False),
    ],
)
def test_a_folder_is_meant_or_not(wanted, folder, expected):
    assert list(matching(wanted, [(7, ROOT, folder)])) == ([7] if expected else [])


def test_an_absolute_folder_may_be_named_by_a_link(tmp_path):
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real = str((tmp_path / "real").resolve())
    assert list(matching(str(tmp_path / "link" / "sub"), [(1, real, "sub"), (2, real, "other")])) == [1]
