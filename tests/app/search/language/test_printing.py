"""A query written down again is read as the same query."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.search.language.filter_fields import make_filter
from app.search.language.parsing import parse
from app.search.language.printing import parts, written
from app.search.query import Query
from indexer.errors import QueryError

PIECES = [
    "dogs", "on a beach", "„a b“", "«", '"red frisbee"', '"camera:canon"', "“a b”", "OR", "NOT", "AND", "NOT people",
    'NOT "Red ball"', "+", "-", "- people",
    "+ball", "2:beach", '-0.5:"old man"', "a-b", "-5",
    "+NOT", "5 - 3", "2:OR", '"犬、on:2021"', 'tag:"a,tag:b"', "https://x/?q&on:2",
    "NOT 5", "-NOT", "(year:2020 after:2021) OR is:raw", '5"', "(brown)", ":)", "note:", "after:2021",
    "before:2022-07", "on:2021-06", "on:2021-12", "on:9999", "on:2021-01-31", "year:2021", "year:2019..2021",
    "year:9999", "after:9999-06", "month:july", "place:Lisbon", 'place:"New York"', "near:38.71,-9.14,5",
    "near:0.0000001,1", 'camera:"EOS R5"', "camera:a(b)c", "lens:50mm", "folder:Trip/Sea", "name:*.heic",
    "type:video", "type:wmv", "tag:dog", r"tag:a\/b/c", "keyword:dune", "keyword:x", "rating:4", "rating:3..5",
    "rating:>=4", "rating:-1", "width:>999999999", "height:..2000", "width:1.5..", "orientation:portrait",
    "text:IMG_1234", 'text:"Anna\'s wedding"', "text:wed*", "text:a(b",
    "is:favourite", "is:raw", "has:gps", "has:tags", "duplicate:no", "duplicate:yes", "-camera:canon",
    "NOT type:video", "(camera:sony)", "(place:Lisbon year:2021)", "-(place:Lisbon year:2021)", "place:a OR place:b",
    "OR type:raw", "(-camera:x OR has:gps)", "-(-lens:x)", "(", ")",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=7).map(" ".join))
@example('"OR" camera:x')
@example('"(" camera:x')
@example('+"ball"')
@example("camera:a (camera:b) (camera:c month:2)")
@example("year:2020..9999 after:2021-05")
@example("(year:1993..2020 after:2021) OR camera:x")
@example("NOT (on:2021 before:2021)")
@example('NOT "5" year:2021')
@example("camera:x -NOT")
@example("+NOT")
@example("dogs + not is:raw")
@example("- Not year:2021 + not")
@example("5 - 3 is:raw")
@example('(text:"a、on:sale" OR place:"x,is:raw") dogs')
@example('«5" or 6”» camera:«a"b”»')
def test_what_is_written_is_read_as_the_same(text):
    try:
        query = parse(text)
    except QueryError:
        assume(False)
    again = parse(written(query))
    assert (again.terms or again.text) == (query.terms or query.text)
    assert again.filter == query.filter
    assert again.unwanted == query.unwanted
    for _, rest in parts(query):
        left = parse(written(rest))
        assert (left.terms or left.text, left.unwanted) == (rest.terms or rest.text, rest.unwanted)
        assert left.filter == rest.filter


@given(st.text(alphabet='ab1 :+-"()OR.\u00e9', max_size=20))
def test_words_are_read_as_the_same_words(text):
    query = Query(text=" ".join(text.split()))
    assert parse(written(query)) == query


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two dogs on a beach", [("two dogs on a beach", "")]),
        (
            'dogs + "red ball" - people after:2021 camera:"EOS R5"',
            [
                ("dogs", 'red ball -people after:2021 camera:"EOS R5"'),
                ('+"red ball"', 'dogs -people after:2021 camera:"EOS R5"'),
                ("-people", 'dogs +"red ball" after:2021 camera:"EOS R5"'),
                ("after:2021", 'dogs +"red ball" -people camera:"EOS R5"'),
                ('camera:"EOS R5"', 'dogs +"red ball" -people after:2021'),
            ],
        ),
        ('NOT "5" rating:4', [('NOT "5"', "rating:4"), ("rating:4", 'NOT "5"')]),
        (
            "dogs NOT people year:2021",
            [("dogs", "NOT people year:2021"), ("NOT people", "dogs year:2021"), ("year:2021", "dogs NOT people")],
        ),
        ("dogs -people", [("dogs", "-people"), ("-people", "dogs")]),
        ("after:2021-06 before:2021-07", [("on:2021-06", "")]),
        (
            "place:a OR place:b NOT type:raw tag:x tag:y",
            [
                ("tag:x", "tag:y place:a OR place:b -type:raw"),
                ("tag:y", "tag:x place:a OR place:b -type:raw"),
                ("place:a OR place:b", "tag:x tag:y -type:raw"),
                ("-type:raw", "tag:x tag:y place:a OR place:b"),
            ],
        ),
        (
            "camera:a (camera:b type:raw)",
            [
                ("camera:a", "camera:b type:raw"),
                ("type:raw", "camera:a (camera:b)"),
                ("(camera:b)", "camera:a type:raw"),
            ],
        ),
        (
            "-lens:a OR has:gps NOT (-lens:b)",
            [("-lens:a OR has:gps", "-(-lens:b)"), ("-(-lens:b)", "-lens:a OR has:gps")],
        ),
        ("", []),
    ],
)
def test_each_part_is_written_with_what_is_left_without_it(text, shown):
    assert [(part, written(rest)) for part, rest in parts(parse(text))] == shown


def test_fields_are_written_as_filters():
    filters = make_filter(after="2021", before="2022-03", folder="My trip", place="Lisbon")
    assert written(Query(filter=filters)) == 'after:2021 before:2022-03 folder:"My trip" place:Lisbon'
