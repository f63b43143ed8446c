"""Which file names a `name:` filter means."""

import pytest

from indexer.catalog.filters.names import matches


@pytest.mark.parametrize(
    ("wanted", "name", "meant"),
    [
        ("img_1234", "IMG_1234.JPG", True),
        ("1234", "IMG_1234.JPG", True),
        ("*.jpg", "IMG_1234.JPG", True),
        ("*.jpg", "IMG_1234.jpg.xmp", False),
        ("IMG_????.*", "IMG_1234.JPG", True),
        ("IMG_???.*", "IMG_1234.JPG", False),
        ("IMG_*", "old IMG_1234.JPG", False),
        ("[1]", "dog[1].jpg", True),
        ("[12]*", "1.jpg", False),
        ("[12]*", "[12] dog.jpg", True),
        ("cafe\u0301", "CAFÉ.png", True),
        ("a.c", "abc", False),
        ("x", "caf\udce9 x.jpg", True),
        ("stra?e*", "Straße 1.jpg", True),
        ("STRA?E*", "STRAẞE 1.jpg", True),
        ("stra??e*", "Straße 1.jpg", True),
        ("STRASSE*", "straße 1.jpg", True),
        ("? 1.jpg", "İ 1.jpg", True),
        ("İ ?.jpg", "İ 1.jpg", True),
        ("?ne.jpg", "ﬁne.jpg", True),
        ("?.jpg", "ss.jpg", False),
        ("?.jpg", "I\u0307.jpg", True),
        ("*a*" * 60 + "b", "a" * 250, False),
    ],
)
def test_a_part_or_a_pattern_of_the_whole(wanted, name, meant):
    assert matches(name, wanted) is meant
