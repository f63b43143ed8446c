import os
from pathlib import Path

import pytest

from clip_model.evaluation.word_files import read_class_names, read_templates


def test_templates_are_a_line_each(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes("\ufeff# my own\r\n\r\n  a {} of mine \r\n{}\r\n".encode())
    assert read_templates(path) == ("a {} of mine", "{}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}\n\na dog\n", r"t.txt, line 3: expected a template with the gap \{\}, got 'a dog'"),
        (b"a {}\n{}\na {}\n", "line 3: the same template as in line 1"),
        (b"# nothing\n", "expected 1 to 1,000 templates, one a line, got 0"),
        (b"\xff{}\n", "is no text in UTF-8"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path, content, message):
    path = tmp_path / "t.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_templates(path)


def test_names_are_by_label_or_by_number(tmp_path):
    path = tmp_path / "n.txt"
    path.write_text("n01\ttench\nn02\tgold fish\n")
    assert read_class_names(path) == {"n01": "tench", "n02": "gold fish"}
    path.write_text("tench\n gold fish \n\n")
    assert read_class_names(path) == {"0": "tench", "1": "gold fish"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n\nb\n", "line 2: expected the name of a class, got nothing"),
        ("n1\ta\nb\n", "line 2: expected label, tab, name"),
        ("a\nn1\tb\n", "line 2: expected a name without a tab"),
        ("n1\ta\nn1\tb\n", "line 2: the label 'n1' for the second time"),
        ("n1\t\nn2\tb\n", "line 1: expected the name of a class"),
        ("one\n", "at least two classes, got 1"),
    ],
)
def test_a_bad_name_is_named_with_its_line(tmp_path, content, message):
    path = tmp_path / "n.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_class_names(path)


def test_two_classes_of_one_name_are_refused_with_both_lines(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("crane\nheron\ncrane\n")
    with pytest.raises(ValueError, match="line 3: the name 'crane' is that of line 1 too"):
        read_class_names(path)


@pytest.mark.parametrize("read", [read_class_names, read_templates])
def test_a_device_is_not_read_for_ever(read):
    with pytest.raises(ValueError, match="is not a regular file"):
        read(Path(os.devnull))
