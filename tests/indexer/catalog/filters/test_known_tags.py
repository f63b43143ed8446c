"""Tags by what else they are called: a name of their own comes first, and whatever is kept breaks nothing."""

import pytest

from indexer.catalog.filters.known_tags import KnownTags, written

PATHS = {1: ("animal",), 2: ("animal", "cat"), 3: ("animal", "cat", "kitten"), 4: ("Hund",), 5: ("animal", "dog")}
NAMES = written({"Gatto": [2], "château d'eau": [1, 99], "Hund": [5], "hound": [5], "HOUND": [1], "…": [1]})


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        *[(("cat",), [2, 3]), (("gatto",), [2, 3]), (("Gattò",), [2, 3]), (("chateau d eau",), [1, 2, 3, 5])],
        *[(("hund",), [4]), (("hound",), [1, 2, 3, 5]), (("animal", "gatto"), []), (("…",), []), (("mouse",), [])],
    ],
)
def test_another_name_means_a_tag_with_what_lies_under_it_where_none_is_called_so(wanted, meant):
    assert sorted(KnownTags(PATHS, NAMES).meant(wanted)) == meant


@pytest.mark.parametrize("damaged", ["", "{", "[]", "null", '{"gatto": 2}'])
def test_damaged_names_are_none(damaged):
    tags = KnownTags(PATHS, damaged)
    assert (tags.meant(("gatto",)), tags.meant(("cat",)), tags.called([2])) == ([], [2, 3], {"animal", "cat"})


def test_the_names_of_tags_are_those_by_which_they_are_found():
    tags = KnownTags(PATHS, NAMES)
    assert tags.called([2, 99]) == {"animal", "cat", "Gatto", "château d'eau", "HOUND"}
    assert tags.called([4]) == {"Hund"}
    for held in (1, 2, 3):
        assert all(held in tags.meant((name,)) for name in tags.called([held]))
