"""What may have been meant where no folder has the name that was asked for."""

import pytest

from app.search.hints import folder_hint, hint_of
from app.search.language.parsing import parse

FOLDERS = [
    ("/n/d", "2020 Garden"),
    ("/n/d", "Holiday/Beach"),
    ("/home/ann/photo", "a"),
    ("/h", "2020/Trip"),
    ("/h", ""),
]


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ("Garden", "Near to it are '2020 Garden'."),
        ("Gardn", "Near to it are '2020 Garden'."),
        ("Holiday/Beech", "Near to it are 'Beach'."),
        ("2021/Beach", "Near to it are 'Beach'."),
        ("photography", "Near to it are 'photo'."),
        ("zzzz", "no folder is called 'zzzz'."),
        ("/n/other", "no folder is called '/n/other'."),
    ],
)
def test_the_nearest_are_named_and_nothing_above_a_root(wanted, named):
    hint = folder_hint(wanted, lambda: FOLDERS)
    assert hint.endswith(named)
    assert "'n'" not in hint
    assert "'home'" not in hint


@pytest.mark.parametrize("wanted", [None, "", "/", "2020 GARDEN", "Holiday", "/n/d", "beach"])
def test_a_folder_that_is_there_needs_no_hint(wanted):
    assert folder_hint(wanted, lambda: FOLDERS) is None


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("folder:Gardn", "no folder is called 'Gardn'. Near to it are '2020 Garden'."),
        ("folder:Gardn OR folder:Beech", "no folder is called 'Gardn'. Near to it are '2020 Garden'. "
         "No folder is called 'Beech'. Near to it are 'Beach'."),
        ("folder:Holiday OR folder:Gardn", "no folder is called 'Gardn'. Near to it are '2020 Garden'."),
        ("camera:canon OR (folder:Gardn year:2021)", "no folder is called 'Gardn'. Near to it are '2020 Garden'."),
        ("folder:Gardn OR folder:Gardn", "no folder is called 'Gardn'. Near to it are '2020 Garden'."),
        ("NOT folder:Gardn", None),
        ("folder:Holiday OR camera:canon", None),
    ],
)  # fmt: skip
def test_folders_within_or_and_parentheses_are_hinted_at_too(typed, hint):
    asked = []
    assert hint_of(parse(typed).filter, lambda: asked.append(1) or FOLDERS) == hint
    assert len(asked) <= 1
