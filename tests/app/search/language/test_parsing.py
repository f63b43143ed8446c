"""The query language, as a table and as properties."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.search.language.filter_fields import filter_of, make_filter
from app.search.language.filter_group import merge
from app.search.language.parsing import MAX_DEPTH, parse
from app.search.language.query_text import QueryText
from app.search.language.spots import spot_of
from app.search.query import MAX_TEXT, Query, Term
from indexer.catalog.photo_filter import PhotoFilter
from indexer.errors import QueryError

D = datetime
F = PhotoFilter


@pytest.mark.parametrize(
    ("typed", "words", "expected"),
    [
        ("two dogs on a beach", "two dogs on a beach", F()),
        ("  two\t dogs\n", "two dogs", F()),
        ("", "", F()),
        ("dog after:2021", "dog", F(after=D(2021, 1, 1))),
        ("after:2021-06 dog", "dog", F(after=D(2021, 6, 1))),
        ("red after:2021-06-30 dog", "red dog", F(after=D(2021, 6, 30))),
        ("dog before:2021", "dog", F(before=D(2021, 1, 1))),
        ("dog before:2021-6-3", "dog", F(before=D(2021, 6, 3))),
        ("AFTER:2020 Before:2021 dog", "dog", F(after=D(2020, 1, 1), before=D(2021, 1, 1))),
        ("dog folder:Holiday", "dog", F(folder="Holiday")),
        ("dog folder:/data/Holiday/Beach", "dog", F(folder="/data/Holiday/Beach")),
        ('folder:"Summer 2021" dog', "dog", F(folder="Summer 2021")),
        ("folder:“Summer 2021” dog", "dog", F(folder="Summer 2021")),
        ('folder:"Summer 2021"', "", F(folder="Summer 2021")),
        ('dog after:"2021"', "dog", F(after=D(2021, 1, 1))),
        ("dog place:Lisbon", "dog", F(place="Lisbon")),
        ('PLACE:"New York" dog folder:Trip', "dog", F(place="New York", folder="Trip")),
        ("folder:50%_off", "", F(folder="50%_off")),
        ("a 16:9 screen at 12:30", "a 16:9 screen at 12:30", F()),
        ("note: a dog", "note: a dog", F()),
        ("http://example.org/x", "http://example.org/x", F()),
        ("the day after tomorrow", "the day after tomorrow", F()),
        ("hund 🐕 im schnee כלב", "hund 🐕 im schnee כלב", F()),
        ('"quoted words" stay', "quoted words stay", F()),
        ('"camera:canon" dog', "camera:canon dog", F()),
        ('a 5" screen', 'a 5" screen', F()),
        ("a t-shirt – and -5 degrees", "a t-shirt – and -5 degrees", F()),
        ("TO BE OR NOT TO BE", "TO BE OR NOT TO BE", F()),
        ("cats OR dogs", "cats OR dogs", F()),
        ("a dog (brown) :)", "a dog (brown) :)", F()),
        ("camera:canon", "", F(camera="canon")),
        ('dog camera:"Canon EOS R5" lens:50mm', "dog", F(camera="Canon EOS R5", lens="50mm")),
        ("-tag:screenshot dog", "dog", F(without=(F(tags=(("screenshot",),)),))),
        ("NOT camera:canon", "", F(without=(F(camera="canon"),))),
        ("NOT NOT camera:canon", "", F(camera="canon")),
        ("NOT -camera:canon", "", F(camera="canon")),
        ("place:a OR place:b dog", "dog", F(either=((F(place="a"), F(place="b")),))),
        ("place:a OR place:b OR place:c", "", F(either=((F(place="a"), F(place="b"), F(place="c")),))),
        ("place:a AND camera:b", "", F(place="a", camera="b")),
        (
            "place:a OR place:b after:2021",
            "",
            F(after=D(2021, 1, 1), either=((F(place="a"), F(place="b")),)),
        ),
        ("place:a OR NOT place:b", "", F(either=((F(place="a"), F(without=(F(place="b"),))),))),
        (
            "(place:a after:2021) OR (place:b before:2020) dog",
            "dog",
            F(either=((F(place="a", after=D(2021, 1, 1)), F(place="b", before=D(2020, 1, 1))),)),
        ),
        ("NOT (place:a OR tag:b)", "", F(without=(F(either=((F(place="a"), F(tags=(("b",),))),)),))),
        ("(NOT place:a)", "", F(without=(F(place="a"),))),
        ("-(place:a)", "", F(without=(F(place="a"),))),
        ("tag:a tag:b", "", F(tags=(("a",), ("b",)))),
        ("place:a -place:b", "", F(place="a", without=(F(place="b"),))),
        ("dogs +camera:canon", "dogs", F(camera="canon")),
        ("NOT" + " " * 300 + "place:a", "", F(without=(F(place="a"),))),
        ("place:a OR" + " " * 300 + "place:b", "", F(either=((F(place="a"), F(place="b")),))),
    ],
)
def test_words_and_filters_are_told_apart(typed, words, expected):
    assert parse(typed) == Query(text=words, filter=expected)


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        (
            'two dogs on a beach + "red frisbee" - people',
            [("two dogs on a beach", 1), ("red frisbee", 1), ("people", -1)],
        ),
        ("dogs -people on a beach", [("dogs on a beach", 1), ("people", -1)]),
        ("dogs - people on a beach", [("dogs", 1), ("people on a beach", -1)]),
        ("dogs - people after:2021 beach", [("dogs beach", 1), ("people", -1)]),
        ('-"red frisbee" dog', [("dog", 1), ("red frisbee", -1)]),
        ("2:beach sunset", [("sunset", 1), ("beach", 2)]),
        ('0.5:"a red ball" -3:dog', [("a red ball", 0.5), ("dog", -3)]),
        ("- people", [("people", -1)]),
        ("dogs - big 2:cat house", [("dogs", 1), ("cat", -2), ("big house", -1)]),
        ("dogs - 2:red ball", [("dogs", 1), ("red", -2), ("ball", -1)]),
        ("dogs - big +cat house", [("dogs", 1), ("cat", 1), ("big house", -1)]),
        ("dog + 2021", [("dog", 1), ("2021", 1)]),
        ("+ dog + cat", [("dog", 1), ("cat", 1)]),
    ],
)
def test_terms_have_signs_and_weights(typed, terms):
    query = parse(typed)
    assert [(term.text, term.weight) for term in query.terms] == terms
    assert query.text


def test_a_picture_is_a_term_for_whoever_may_name_files():
    query = parse('dog + image:/a/b.jpg -image:"/c d.png" 2:image:e.jpg', pictures=True)
    assert query.terms == (
        Term("dog"),
        Term(weight=1.0, picture=Path("/a/b.jpg")),
        Term(weight=-1.0, picture=Path("/c d.png")),
        Term(weight=2.0, picture=Path("e.jpg")),
    )
    assert parse("image:~nobodyatall/x.jpg", pictures=True).terms[0].picture == Path("~nobodyatall/x.jpg")
    with pytest.raises(QueryError, match="needs a file"):
        parse("image: a dog", pictures=True)
    with pytest.raises(QueryError, match="image: is for 'picsift search' on this machine alone"):
        parse("image:/etc/passwd")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("dog after:yesterday", "after: wants a year, a month or a day.*not 'yesterday'"),
        ("dog after:", "after: wants.*not ''"),
        ("dog after: 2021", "after: wants"),
        ("dog after:2021-13", "not '2021-13'"),
        ("dog before:2021-02-30", "before:.*not '2021-02-30'"),
        ("dog after:0000", "not '0000'"),
        ("dog after:21", "not '21'"),
        ("dog after:2021-06-30T10:00", "not '2021-06-30T10:00'"),
        ("dog folder:", "folder: needs a name"),
        ('dog folder:""', "folder: needs a name"),
        ('dog folder:"Summer 2021', "never closed"),
        ("dog place:", "place: needs a name.*place:Lisbon"),
        ('dog place:" "', "place: needs a name"),
        ("place:a place:b", "place: stands twice"),
        ("after:2020 after:2021", "after: stands twice"),
        ("folder:a folder:b", "folder: stands twice"),
        ("after:2021 before:2020", "no photo can be both from 2021-01-01 on and before 2020-01-01"),
        ("after:2021 before:2021", "no photo can be both"),
        ("x" * (MAX_TEXT + 1), "has 10,001 characters; at most 10,000"),
        ("after:" + "9" * 9000, "not '9999"),
        ("kamera:canon", "no filter is called 'kamera': did you mean camera:.*\"kamera:canon\""),
        ("hereafter:2021", "no filter is called 'hereafter'"),
        ("title:dune", "no filter is called 'title'.*quote them"),
        ("q" * 500 + ":x", "no filter is called 'qqq"),
        ("dog OR place:Lisbon", "OR stands between two filters"),
        ("place:Lisbon OR dog", "OR stands between two filters"),
        ("place:Lisbon OR OR place:b", "OR stands"),
        ("OR place:b", "OR stands between two filters"),
        ("(place:a NOT people)", "within parentheses NOT goes before a filter"),
        ("dogs NOT 2:people", "NOT leaves photos out, whatever their weight"),
        ("dogs NOT + cats", "stands before nothing"),
        ("(place:a dog)", "only filters stand in parentheses with filters, not 'dog\\)'"),
        ("(place:a", "never closed"),
        ("(" * (MAX_DEPTH + 1) + "place:a" + ")" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} deep"),
        ("dog -", "stands before nothing"),
        ("dog + - cat", "stands before nothing"),
        ("0:dog cat", "weight of 0 is out of bounds"),
        ("999:dog cat", "weight of 999 is out of bounds"),
        ("image: a dog", "this machine alone"),
        ("camera:„EOS R5", "opens a quotation mark that is never closed"),
        ("camera_model:canon", "no filter is called 'camera_model'"),
        ("f-stop:2.8", "no filter is called 'f-stop'"),
        ("größe:5", "no filter is called 'größe'"),
        ("2:camera:canon", "is a filter: no sign but - and no weight"),
        ("1000:beach", "weight of 1000 is out of bounds"),
        ("(beach camera:canon)", "only filters stand in parentheses"),
        ("(OR place:x)", "only filters stand in parentheses"),
        ("--camera:canon", "camera: is a filter, and '--' stands right before it"),
        ("!CAMERA:canon", "camera: is a filter, and '!' stands"),
        ("-NOT camera:canon", "camera: is a filter, and '-NOT ' stands"),
        ("dogs,camera:canon", "camera: is a filter, and 'dogs,' stands"),
        ('"dogs",camera：canon', "camera: is a filter, and ',' stands"),
        ("x" * 5000 + ",place:y", "place: is a filter, and 'xxx"),
        ("犬、place:Paris", "place: is a filter, and '犬、' stands"),
        ("犬｜on：2021", "on: is a filter, and '犬｜' stands"),
        ("photos(tag:a)", r"tag: is a filter, and 'photos\(' stands"),
        ("dogs,folder:/Trip", "folder: is a filter, and 'dogs,' stands"),
        ("tag:a,tag:b", "tag: is a filter, and 'a,' stands"),
        ("(camera:x OR place:a；on:2021)", "on: is a filter, and 'a；' stands"),
        ("type:vidoe", "type: does not know 'vidoe'"),
        ("- a " * 50, "50 terms; at most 32"),
        ("place:a OR " * 150 + "place:b", "more than 100 filters"),
    ],
)
def test_what_cannot_be_understood_is_said_in_a_short_sentence(typed, said):
    with pytest.raises(QueryError, match=said) as caught:
        parse(typed)
    assert len(str(caught.value)) < 350


@pytest.mark.parametrize("piece", ["( ", "NOT (", "-(", "a ", '"', "OR ", "2:"])
def test_no_text_is_read_again_and_again(piece, monkeypatch):
    read, look = [], QueryText.match

    def counted(self, *how):
        found = look(self, *how)
        read.append(len(found[0]) if found else 1)
        return found

    monkeypatch.setattr(QueryText, "match", counted)
    with suppress(QueryError):
        parse((piece * MAX_TEXT)[:MAX_TEXT])
    assert sum(read) < 300 * MAX_TEXT


@pytest.mark.parametrize(
    "text",
    [
        '"!camera:canon"', '"dogs,camera:canon"', "“a;tag:x”", "a,b", "http://a/x,name", "see: name", "時間：12",
        "https://x/?q=1&on:2", "(https://x/a,b&type:raw)", "C:\\name:x", "a.is:b", '"犬、place:Paris"',
    ],
)  # fmt: skip
def test_quotes_keep_what_would_be_a_filter_behind_signs_and_other_colons_are_words(text):
    query = parse(text)
    assert (query.text, query.filter) == (text.strip('"“”'), F())


@pytest.mark.parametrize("mark", ['"', "“", "„", "«"])
def test_a_mark_that_is_never_closed_is_read_once_however_much_follows(mark):
    """Read again and again, this much would take hours: the test's own limit of time ends it."""
    blanks = " " * 9_000
    assert parse(f"dogs {mark}{blanks}x").text == f"dogs {mark} x"
    with pytest.raises(QueryError, match="opens a quotation mark that is never closed"):
        parse(f"camera:{mark}{blanks}x")


@pytest.mark.parametrize("quoted", ['"{}"', "“{}”", "„{}“", "„{}”", "«{}»", "« {} »", "«\u202f{}\u202f»"])
def test_quotes_are_those_that_keyboards_set(quoted):
    def typed(words):
        return quoted.format(words)

    assert parse(typed("camera:x OR")).text == "camera:x OR"
    assert parse(f"folder:{typed('My trip')} dogs").filter == F(folder="My trip")
    assert parse(f"dogs -{typed('red ball')}").terms == (Term("dogs"), Term("red ball", -1.0))
    assert parse(f"2:{typed('red ball')} NOT {typed('Cat')}").unwanted == (Term("Cat"),)


def test_quotes_keep_a_filters_name_within_the_value_of_another():
    assert parse('tag:"a,tag:b" text:«x、on:sale»').filter == F(tags=(("a,tag:b",),), texts=("x、on:sale",))


def test_a_wide_colon_stands_behind_a_filters_name():
    assert parse("夏 PLACE：東京 -camera：canon (tag：a OR tag:b)") == parse(
        "夏 place:東京 -camera:canon (tag:a OR tag:b)"
    )
    assert parse("image：x.jpg", pictures=True).terms == parse("image:x.jpg", pictures=True).terms


def test_a_text_of_the_largest_length_is_taken():
    assert parse("x" * MAX_TEXT).text == "x" * MAX_TEXT


def test_bytes_that_were_no_text_become_text_in_words_and_stay_in_a_folder():
    query = parse("caf\udce9 folder:caf\udce9")
    assert (query.text, query.filter.folder) == ("caf?", "caf\udce9")


def error_lies_within(error, typed):
    spot = spot_of(error)
    return spot is None or (spot.text == typed and 0 <= spot.start < spot.end <= len(typed))


pieces = st.sampled_from(
    [
        "dog",
        "+",
        "-",
        "OR",
        "NOT",
        "AND",
        "(",
        ")",
        "place:a",
        "-tag:b",
        "(place:c",
        "2:x",
        '"a b"',
        "-y",
        "image:f",
        '"',
        ":",
    ]
)


@given(
    st.one_of(
        st.text(max_size=300), st.lists(pieces, max_size=12).map(" ".join), st.lists(pieces, max_size=8).map("".join)
    )
)
@example("()")
@example("-")
@example("((place:a)")
def test_any_text_is_parsed_or_refused_and_its_words_can_be_quoted(typed):
    try:
        query = parse(typed)
    except QueryError as error:
        assert str(error)
        assert error_lies_within(error, typed)
        return
    query.text.encode()
    for term in query.terms or [Term(query.text)]:
        if '"' not in term.text and "“" not in term.text:
            assert parse(f'"{term.text}"') == Query(text=term.text)


@given(
    st.lists(st.sampled_from(["red", "dog", "16:9", "é", "a"]), max_size=6),
    st.dates(min_value=D(1900, 1, 1).date()),
    st.text(alphabet="abc XY/_%é", min_size=1).filter(str.strip),
    st.integers(0, 6),
)
def test_filters_may_stand_anywhere_among_the_words(words, day, folder, at):
    tokens = [*words[:at], f"after:{day.isoformat()}", f'folder:"{folder}"', *words[at:]]
    assert parse(" ".join(tokens)) == Query(
        text=" ".join(words), filter=F(after=D(day.year, day.month, day.day), folder=folder)
    )


def test_filters_from_two_places_both_hold():
    first, second = make_filter(after="2019", folder="A"), make_filter(after="2020-05", before="2022")
    assert merge(first, second) == F(after=D(2020, 5, 1), before=D(2022, 1, 1), folder="A")
    assert merge(second, first) == merge(first, second)


def test_two_different_folders_cannot_both_hold():
    with pytest.raises(QueryError, match="two folders are asked for, 'A' and 'B'"):
        merge(make_filter(folder="A"), make_filter(folder="B"))


def test_two_different_places_cannot_both_hold():
    assert merge(make_filter(place="A"), make_filter(folder="B")) == F(place="A", folder="B")
    with pytest.raises(QueryError, match="two places are asked for, 'A' and 'B'"):
        merge(make_filter(place="A"), make_filter(place="B"))


def test_two_cameras_both_hold():
    assert merge(make_filter(camera="A"), make_filter(camera="B")) == F(camera="A", either=((F(camera="B"),),))


def test_one_of_each_stays_at_the_top():
    once = make_filter(name="IMG", duplicate="no")
    assert merge(make_filter(name="copy"), once) == F(name="copy", copies=False, either=((F(name="IMG"),),))
    assert merge(once, make_filter(name="copy")) == F(name="IMG", copies=False, either=((F(name="copy"),),))
    both = F(copies=False, either=((F(copies=True),),))
    assert merge(make_filter(duplicate="no"), make_filter(duplicate="yes")) == both
    assert merge(make_filter(duplicate="yes"), make_filter(duplicate="no")) == both


def test_a_request_has_a_bound_of_filters_however_it_is_written():
    with pytest.raises(QueryError, match="more than 100 filters"):
        filter_of({}, [f"place:a OR place:{number}" for number in range(60)])
    with pytest.raises(QueryError, match="more than 100 filters"):
        filter_of({"tag": [f"t{number}" for number in range(150)]})


def test_filters_that_exclude_each_other_are_noticed_when_merged():
    with pytest.raises(QueryError, match="Change one of the two dates"):
        merge(make_filter(after="2022"), make_filter(before="2021"))


@pytest.mark.parametrize(
    ("text", "looked_for", "left_out"),
    [
        ("dogs NOT people", ["dogs"], ["people"]),
        ("NOT people", [], ["people"]),
        ("dogs NOT people on a beach", ["dogs"], ["people on a beach"]),
        ('dogs NOT "red ball" and leash', ["dogs"], ["red ball and leash"]),
        ("dogs NOT people NOT cats", ["dogs"], ["people", "cats"]),
        ("dogs NOT people + cats", ["dogs", "cats"], ["people"]),
        ("dogs NOT people +cats", ["dogs", "cats"], ["people"]),
        ("dogs NOT people -cats", ["dogs", "cats"], ["people"]),
        ("dogs NOT people year:2021", ["dogs"], ["people"]),
        ("dogs year:2021 NOT people", ["dogs"], ["people"]),
        ("dogs NOT place:a people", ["dogs people"], []),
        ('NOT "PEOPLE"', [], ["PEOPLE"]),
        ("NOT image:/a.jpg", [], ["/a.jpg"]),
        ('dogs "NOT"', ["dogs NOT"], []),
        ("FLOWER NOT", ["FLOWER NOT"], []),
    ],
)
def test_what_stands_behind_not_is_left_out(text, looked_for, left_out):
    query = parse(text, pictures=True)
    found = [term.text for term in query.terms] or ([query.text] if query.text else [])
    assert found == looked_for
    assert [str(term.picture or term.text) for term in query.unwanted] == left_out
    assert ("year" in text) == bool(query.filter.after)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flower NOT", "NOT at the end, behind 'flower', has nothing to go before"),
        ("wine OR", "OR at the end, behind 'wine', has nothing to go before"),
        ("wine  AND ", "AND at the end, behind 'wine', has nothing to go before"),
        ("dogs NOT people NOT", "NOT at the end, behind 'dogs NOT people'"),
        ("year:2021 wine OR", "OR at the end, behind 'year:2021 wine'"),
        (f"{'long ' * 20}OR", "OR at the end, behind '…"),
    ],
)
def test_an_operator_at_the_end_is_an_error_that_says_where(text, said):
    with pytest.raises(QueryError) as raised:
        parse(text)
    assert said in str(raised.value)
    assert "or quote it as a word: " in str(raised.value)


@pytest.mark.parametrize("text", ["OR", "NOT", "WINE OR", "salt AND pepper", "Portland OR Oregon", 'Portland "OR"'])
def test_operators_that_join_nothing_elsewhere_are_words(text):
    assert parse(text).text == text.replace('"', "")
