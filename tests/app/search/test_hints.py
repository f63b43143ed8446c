"""What may have been meant where no folder has the name that was asked for."""

import pytest

from app.search import hints
from app.search.hints import folder_hint, hint_of, why_none
from app.search.language.parsing import parse
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import Counts

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
        ("year:2020 OR (folder:Gardn year:2021)", "no folder is called 'Gardn'. Near to it are '2020 Garden'."),
        ("folder:Gardn OR folder:Gardn", "no folder is called 'Gardn'. Near to it are '2020 Garden'."),
        ("NOT folder:Gardn", None),
        ("folder:Holiday OR year:2021", None),
    ],
)  # fmt: skip
def test_folders_within_or_and_parentheses_are_hinted_at_too(typed, hint):
    asked = []
    assert hint_of(parse(typed).filter, lambda: asked.append(1) or FOLDERS, lambda kind: []) == hint
    assert len(asked) <= 1


NAMES = {
    "place": ["Lisboa", "New York", "Portugal", "São Paulo"],
    "camera": ["Canon EOS R5", "NIKON Z 6"],
    "lens": ["RF24-105mm F4 L IS USM"],
    "keyword": ["thompson springs", "wedding"],
    "tag": ["animal", "dog", "golden retriever"],
}


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("place:Lisbom", "no place is called 'Lisbom'. Near to it are 'Lisboa'."),
        ('place:"Lisbom, Portugal"', "no place is called 'Lisbom'. Near to it are 'Lisboa'."),
        ('place:"New Yrok"', "no place is called 'New Yrok'. Near to it are 'New York'."),
        ("place:sao", None), ("place:Lisbon", None), ('place:"Lissabon, Portugal"', None),
        ("place:portugal", None),
        ("camera:cannon", "no camera is called 'cannon'. Near to it are 'Canon'."),
        ('camera:"eos r5"', None),
        ("lens:RF24", None),
        ("lens:RF42-105", "no lens is called 'RF42-105'."),
        ("keyword:weding", "no keyword is called 'weding'. Near to it are 'wedding'."),
        ("tag:golden", "no photo has a tag called 'golden'. Near to it are 'golden retriever'."),
        ("tag:animal/dgo", "no photo has a tag called 'dgo'. Near to it are 'dog'."),
        ("tag:animal/dog", None),
        ("place:Lisbom OR camera:cannon", "no place is called 'Lisbom'. Near to it are 'Lisboa'. "
         "No camera is called 'cannon'. Near to it are 'Canon'."),
        ("place:zzzzz", "no place is called 'zzzzz'."),
        ("NOT place:Lisbon year:2021", None),
    ],
)  # fmt: skip
def test_names_of_other_kinds_are_hinted_at_too(typed, hint):
    asked = []
    assert hint_of(parse(typed).filter, lambda: FOLDERS, lambda kind: asked.append(kind) or NAMES[kind]) == hint
    assert len(asked) == len(set(asked))


def test_many_names_are_asked_for_once_and_many_wishes_are_not_all_looked_at(monkeypatch):
    asked, compared = [], []
    close = hints.difflib.get_close_matches
    monkeypatch.setattr(
        hints.difflib, "get_close_matches", lambda *args, **rest: compared.append(len(args[1])) or close(*args, **rest)
    )
    names = [f"{letter}{number:06}" for letter in "abcdefgh" for number in range(3000)]
    wanted = PhotoFilter(keywords=tuple(f"a{number}x" for number in range(100)), place="y" * 5000)
    hint = hint_of(wanted, list, lambda kind: asked.append(kind) or names)
    assert hint.count("is called") == hints.MOST
    assert sorted(asked) == ["keyword", "place"]
    assert len(compared) <= hints.ASKED
    assert max(compared) <= 3000
    assert len(hint) < 1000


@pytest.mark.parametrize(
    ("photos", "failed", "wanted", "said"),
    [
        (0, 0, PhotoFilter(), "the library holds no photos yet. Run: picsift index FOLDER"),
        (0, 0, PhotoFilter(folder="Gardn"), "the library holds no photos yet. Run: picsift index FOLDER"),
        (0, 1, None, "the library holds no photos yet: 1 file could not be read, and 'picsift status' says why."),
        (
            0,
            3,
            PhotoFilter(folder="Gardn"),
            "the library holds no photos yet: 3 files could not be read, and 'picsift status' says why.",
        ),
        (1, 3, None, "there is no other photo to compare with."),
        (1, 0, PhotoFilter(), None),
        (1, 0, PhotoFilter(folder="Gardn"), "no folder is called 'Gardn'. Near to it are '2020 Garden'."),
    ],
)
def test_filters_are_blamed_only_where_they_have_photos_to_pass(photos, failed, wanted, said):
    assert why_none(wanted, Counts(photos, failed, 0), photos, lambda: FOLDERS, lambda kind: []) == said


LACKING = "not embedded by the model that answers yet. Run: picsift index"


@pytest.mark.parametrize(
    ("photos", "embedded", "wanted", "said"),
    [
        (3, 0, None, f"no photo can be searched yet: 3 photos are {LACKING}"),
        (1, 0, PhotoFilter(folder="Gardn"), f"no photo can be searched yet: 1 photo is {LACKING}"),
        (3, 1, None, f"there is no other photo to compare with. 2 photos are {LACKING}"),
        (2, 1, PhotoFilter(), f"1 photo is {LACKING}"),
        (
            2,
            1,
            PhotoFilter(folder="Gardn"),
            f"no folder is called 'Gardn'. Near to it are '2020 Garden'. 1 photo is {LACKING}",
        ),
    ],
)
def test_photos_that_the_model_has_yet_to_embed_are_told_where_none_is_found(photos, embedded, wanted, said):
    assert why_none(wanted, Counts(photos, 0, 0), embedded, lambda: FOLDERS, lambda kind: []) == said
