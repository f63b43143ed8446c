"""`picsift tag` and `picsift tags` as people meet them: what is printed, what is refused, and which tag is meant."""

import json

import pytest
from typer.testing import CliRunner

from app import bootstrap
from app.cli import commands as cli
from app.search.language.parsing import parse
from app.tagging.lookup import candidates
from indexer.errors import QueryError
from tests.app.colours import NAMES, World

RED, BLUE = "colour/red", "colour/blue"


WORDS = "[colour]\n" + "".join(f"\t{name}\n" for name in NAMES)


@pytest.fixture(scope="session")
def three(tmp_path_factory):
    """Three photos, indexed once and copied for each test."""
    world = World(tmp_path_factory.mktemp("three"))
    for name in ("red", "green", "blue"):
        world.write(f"{name}.png", name)
    world.index()
    return world


@pytest.fixture(scope="session")
def three_tagged(tmp_path_factory, three):
    """The same after a run with words of their own."""
    folder = tmp_path_factory.mktemp("tagged")
    world = World(folder)
    world.take_over(three)
    (folder / "words.txt").write_text(WORDS)
    with pytest.MonkeyPatch.context() as patch:
        lead_to(world, patch)
        as_json("tag", "--vocabulary", folder / "words.txt", "--threshold", 0.01)
    return world


def lead_to(world, monkeypatch):
    """Have commands work on that library."""
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))
    monkeypatch.setitem(bootstrap.build_services.__kwdefaults__, "new_embedder", world._new_embedder)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A folder of no photos beside the words, to which commands are led."""
    world = World(tmp_path)
    (tmp_path / "words.txt").write_text(WORDS)
    lead_to(world, monkeypatch)
    return world


@pytest.fixture
def world(empty, three):
    empty.take_over(three)
    return empty


def run(*arguments):
    done = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def as_json(*arguments):
    status, out, err = run(*arguments, "--json")
    assert status == 0, err
    return json.loads(out)


@pytest.fixture
def tagged(empty, three_tagged):
    empty.take_over(three_tagged)
    return empty


def test_a_run_says_how_much_it_did(world, tmp_path):
    status, out, _ = run("tag", "--vocabulary", tmp_path / "words.txt", "--threshold", 0.01)
    assert status == 0
    assert out.startswith("3 photos, 6 tags (words), ")
    assert as_json("tag", "--new")["photos"] == 0


def test_the_words_can_be_the_built_in_ones_again(tagged):
    assert as_json("tag", "--builtin")["vocabulary"] == "everyday"


def test_both_kinds_of_words_at_once_are_wrong_usage(tagged, tmp_path):
    assert run("tag", "--builtin", "--vocabulary", tmp_path / "words.txt")[0] == 2


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00rubbish", b"a/\n//"])
def test_words_that_cannot_be_used_are_refused_and_the_old_ones_stay(tagged, tmp_path, content):
    (tmp_path / "bad.txt").write_bytes(content)
    status, _, err = run("tag", "--vocabulary", tmp_path / "bad.txt")
    assert status == 1
    assert "bad.txt" in err
    assert as_json("tag")["vocabulary"] == "words"


def test_accepting_and_rejecting_shows_in_list_show_and_search(tagged):
    red = tagged.photos / "red.png"
    assert run("tags", "accept", "red", red)[0] == 0
    assert run("tags", "reject", "BLUE", red)[0] == 0
    [shown] = as_json("tags", "show", red)
    states = {tag["tag"]: tag["state"] for tag in shown["tags"]}
    assert (states[RED], states[BLUE]) == ("accepted", "rejected")
    counts = {count["tag"]: count for count in as_json("tags", "list")}
    assert counts[RED]["accepted"] == counts[BLUE]["rejected"] == 1
    paths = [hit["path"] for hit in as_json("search", "tag:red")["hits"]]
    assert str(red) in paths
    assert str(red) not in [hit["path"] for hit in as_json("search", "tag:colour/blue")["hits"]]
    assert "1 accepted" in run("tags", "list", "colour")[1]
    assert "accepted" in run("tags", "show", red)[1]


def test_tags_alone_find_every_photo_that_has_them_whatever_they_look_like(tagged):
    red, blue = tagged.photos / "red.png", tagged.photos / "blue.png"
    run("tags", "accept", "xqz", red, blue)
    run("tags", "accept", "purple", blue)  # which no photo is, so that none has it of itself
    for query, expected in (
        (["tag:xqz"], {red, blue}),
        (["tag:xqz", "tag:purple"], {blue}),
        (["tag:xqz", "NOT", "name:blue"], {red}),
        (["tag:xqz", "type:photo"], {red, blue}),
    ):
        found = as_json("search", *query)
        assert {hit["path"] for hit in found["hits"]} == {str(path) for path in expected}
        assert found["total"] == len(expected)
        assert {hit["score"] for hit in found["hits"]} == {None}  # compared with nothing, so that nothing is cut off


def test_a_new_tag_is_made_by_accepting_and_not_by_rejecting(tagged):
    red = tagged.photos / "red.png"
    assert run("tags", "accept", "holiday/beach  house", red)[0] == 0
    assert "holiday/beach house" in run("tags", "show", red)[1]
    status, _, err = run("tags", "reject", "nonsense", red)
    assert status == 1
    assert "there is no tag 'nonsense'" in err


def test_a_photo_that_is_not_of_the_library_is_refused(tagged, tmp_path):
    status, _, err = run("tags", "accept", "red", tmp_path / "elsewhere.png")
    assert status == 1
    assert "no photo of the library" in err


def test_what_was_done_to_words_is_listed_and_taken_back(tagged):
    assert run("tags", "restore") == (0, "", "")
    assert run("tags", "rename", "red", "warm/red")[0] == run("tags", "delete", BLUE, "--yes")[0] == 0
    assert run("tags", "restore")[1] == "colour/red is warm/red\ncolour/blue is deleted\n"
    as_json("tag")
    assert BLUE not in {count["tag"] for count in as_json("tags", "list", "--all")}
    assert "What was accepted and rejected is not brought back." in run("tags", "restore", BLUE)[2]
    assert run("tags", "restore", BLUE)[0] == 1
    as_json("tag")
    assert BLUE in {count["tag"] for count in as_json("tags", "list", "--all")}


DAMAGED = [
    "{",
    '{"a": 1}',
    "[1]",
    '[["x", ["y"]]]',
    "[[[], null]]",
    '[[["red"], []]]',
    '[[["red"], [""]]]',
    '[[["red"]]]',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_changes_count_as_none_and_are_warned_of_and_cleared(tagged, text):
    catalog = tagged.services().library.catalog
    catalog.set_setting("tag changes", text)
    status, out, err = run("tags", "restore")
    assert (status, out, err.count("picsift tags restore --all")) == (0, "", 1)
    assert tagged.services().tagging.vocabulary().tags
    assert run("tags", "restore", "--all")[0] == 0
    assert run("tags", "restore") == (0, "", "")
    catalog.set_setting("tag changes", text)
    assert run("tags", "rename", "red", "warm/red")[0] == 0
    assert run("tags", "restore")[1] == "colour/red is warm/red\n"


def test_a_tag_that_is_gone_is_told_from_one_that_never_was_and_counted(tagged):
    assert run("tags", "rename", "red", "warm/crimson")[0] == run("tags", "delete", BLUE, "--yes")[0] == 0
    refused = run("tags", "undecide", BLUE, tagged.photos / "red.png")
    assert (refused[0], "colour/blue was deleted" in refused[2]) == (1, True)
    assert f"picsift tags restore '{BLUE}'" in refused[2]
    assert "colour/red is warm/crimson now" in run("tags", "undecide", "colour/red", tagged.photos / "red.png")[2]
    assert "there is no tag 'never'" in run("tags", "undecide", "never", tagged.photos / "red.png")[2]
    assert as_json("tag")["changed"] == 2
    assert "2 words are renamed, merged or deleted" in run("tag")[2]
    assert run("tags", "accept", BLUE, tagged.photos / "red.png")[0] == 0  # wanted again
    assert as_json("tag")["changed"] == 1


def test_no_tag_is_taken_back_to_where_another_is_now(tagged):
    for old, new in ((BLUE, "sky"), ("colour/red", BLUE)):
        assert run("tags", "rename", old, new)[0] == 0
    status, _, err = run("tags", "restore", BLUE)
    assert status == 1
    assert "colour/red is colour/blue now. Take that back first: picsift tags restore 'colour/red'" in err
    assert run("tags", "restore", "colour/red")[0] == run("tags", "restore", BLUE)[0] == 0


@pytest.mark.parametrize("kind", ["rename", "merge"])
def test_no_tag_gets_more_levels_than_a_tag_may_have_not_in_the_vocabulary_either(tagged, tmp_path, kind):
    (tmp_path / "deep.csv").write_text("tag\nx\nx/y/z\n")
    tagged.services().tagging.use(tmp_path / "deep.csv")  # not run: the catalog knows no x/y/z yet
    photo = tagged.photos / "red.png"
    assert run("tags", "accept", "x", photo)[0] == run("tags", "accept", "a/b/c/d/e/f/g", photo)[0] == 0
    status, _, err = run("tags", kind, "x", "a/b/c/d/e/f/g" if kind == "merge" else "1/2/3/4/5/6/7")
    assert (status, "x/y/z would have 9 levels, and a tag has at most 8" in err) == (1, True)
    assert run("tags", "restore") == (0, "", "")


def test_all_changes_are_taken_back_at_once(tagged):
    assert run("tags", "rename", "red", "warm/red")[0] == run("tags", "delete", BLUE, "--yes")[0] == 0
    assert run("tags", "restore", BLUE, "--all")[0] == 2
    said = run("tags", "restore", "--all")[2]
    assert "2 changes" in said
    assert "not brought back" in said
    assert run("tags", "restore") == (0, "", "")


def test_a_message_names_a_tag_as_people_write_it(tagged):
    run("tags", "accept", "animal/a\\/b", tagged.photos / "red.png")
    refused = run("tags", "rename", "animal/a\\/b", "animal/a\\/b/pet")[2]
    assert "animal/a\\/b/pet lies under animal/a\\/b, which cannot" in refused


def test_a_name_that_several_tags_have_has_to_be_said_in_full(tagged):
    red = tagged.photos / "red.png"
    run("tags", "accept", "wine/red", red)
    status, _, err = run("tags", "accept", "red", red)
    assert status == 1
    assert "colour/red, wine/red" in err
    assert run("tags", "accept", "wine/red", red)[0] == 0


def test_a_word_of_the_vocabulary_in_another_language_finds_its_tag(tagged):
    as_json("tag", "--builtin")
    assert candidates(tagged.services(), "Hund") == [("animal", "mammal", "dog")]


def test_what_lies_above_ones_own_tag_is_meant_before_a_word_of_another_language(tagged):
    red, blue = tagged.photos / "red.png", tagged.photos / "blue.png"
    as_json("tag", "--builtin")
    run("tags", "accept", "tier/hund", red)
    run("tags", "accept", "animal/mammal/cat", blue)
    assert candidates(tagged.services(), "Tier") == [("tier",)]  # German for 'animal'
    assert "tier is deleted" in run("tags", "delete", "tier", "--yes")[2]
    found = {hit["path"] for hit in as_json("search", "tag:animal", "--min-relevance", "0")["hits"]}
    assert str(blue) in found
    assert "tier/hund" not in run("tags", "list", "--all")[1]


def test_renaming_merging_deleting_and_taking_back(tagged):
    red, blue = tagged.photos / "red.png", tagged.photos / "blue.png"
    run("tags", "accept", "sea", red)
    run("tags", "accept", "ocean", blue)
    assert run("tags", "rename", "ocean", "water/ocean")[0] == 0
    assert run("tags", "merge", "ocean", "sea")[0] == 0
    assert {hit["path"] for hit in as_json("search", "tag:sea")["hits"]} == {str(red), str(blue)}
    assert run("tags", "undecide", "sea", blue)[0] == 0
    assert {hit["path"] for hit in as_json("search", "tag:sea")["hits"]} == {str(red)}
    assert run("tags", "delete", "sea", "--yes")[0] == 0
    assert run("tags", "delete", "sea", "--yes")[0] == 1


def test_a_classifier_can_be_put_away(tagged):
    assert run("tags", "classifier", "red", "off")[0] == 0
    learned = {count["tag"]: count["learned"] for count in as_json("tags", "list", "--all")}
    assert learned[RED]["wanted"] is False


def test_new_photos_are_tagged_by_index_where_that_is_switched_on(tagged):
    as_json("tag", "--auto")
    new = tagged.write("new.png", "blue")
    assert run("index", tagged.photos)[0] == 0
    assert any(tag["origin"] == "model" for tag in as_json("tags", "show", new)[0]["tags"])
    as_json("tag", "--no-auto")
    late = tagged.write("late.png", "blue")
    assert run("index", tagged.photos)[0] == 0
    assert as_json("tags", "show", late)[0]["tags"] == []


def test_several_tags_in_a_query_are_all_wanted():
    query = parse('tag:dog old TAG:"golden hour" tag:animal/cat')
    assert query.text == "old"
    assert query.filter.tags == (("dog",), ("golden hour",), ("animal", "cat"))


@pytest.mark.parametrize("text", ["tag:", 'tag:""', "tag:/", "tag:a//b"])
def test_a_tag_without_a_name_is_no_filter(text):
    with pytest.raises(QueryError, match="tag:"):
        parse(text)


def test_what_nobody_has_decided_on_is_listed_for_a_review(tagged):
    found = as_json("tags", "review", "--limit", 1)
    assert len(found["suggestions"]) == 1 < found["left"]
    first = found["suggestions"][0]
    of_tag = as_json("tags", "review", "--order", "frequent", first["tag"])["suggestions"]
    assert {one["tag"] for one in of_tag} == {first["tag"]}
    assert run("tags", "reject", first["tag"], first["path"])[0] == 0
    status, out, err = run("tags", "review")
    assert (status, len(out.splitlines())) == (0, found["left"] - 1)
    assert f"{found['left'] - 1} suggestions are to be decided" in err
    assert run("tags", "review", "nothing of the kind")[0] == 1


def test_what_is_said_of_tags_can_be_a_document(tagged):
    red, blue = (tagged.photos / f"{name}.png" for name in ("red", "blue"))
    assert as_json("tags", "accept", "sea/boat", red, blue) == {
        "tag": "sea/boat", "state": "accepted", "photos": 2, "changed": 2,
    }  # fmt: skip
    assert as_json("tags", "reject", RED, blue)["state"] == "rejected"
    assert as_json("tags", "undecide", "boat", red) == {"tag": "sea/boat", "photos": 1, "changed": 1}
    assert as_json("tags", "rename", "boat", "sea/ship") == {"from": "sea/boat", "to": "sea/ship", "tags": 1}
    assert as_json("tags", "classifier", "ship", "off") == {"tag": "sea/ship", "classifier": "off"}
    assert as_json("tags", "merge", "green", RED) == {"from": "colour/green", "to": RED, "photos": 1}
    assert as_json("tags", "delete", BLUE, "--yes") == {"tag": BLUE, "photos": 1}
    changes = as_json("tags", "restore")
    assert {"from": BLUE, "to": None} in changes
    assert {"from": "colour/green", "to": RED} in changes
    assert as_json("tags", "restore", BLUE) == {"tag": BLUE, "restored": 1}
    assert as_json("tags", "restore", "--all") == {"restored": len(changes) - 1}
    assert as_json("tags", "restore") == []


def test_one_photo_is_said_as_one(tagged):
    red = tagged.photos / "red.png"
    assert run("tags", "accept", "boat", red)[2] == "picsift: boat: accepted for 1 photo, 1 of them new.\n"
    assert run("tags", "rename", "boat", "ship")[2] == "picsift: boat is ship now; 1 tag has a new path.\n"
    assert run("edit", red, "--rating", 4)[2].startswith("picsift: 1 photo, 1 change. ")
