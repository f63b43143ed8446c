"""SearchService over a real catalog, a real index and real files; only the model is one of colours."""

import os
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.search import embedders
from app.search.language.filter_fields import make_filter
from app.search.language.parsing import parse
from app.search.live_index import EmptyLibraryError
from app.search.query import MAX_LIMIT, MAX_TEXT, Query
from app.status import read_status
from clip_model.computing.one_call import FEW_CALLS
from indexer.catalog.records import DescribedPhoto
from indexer.errors import LibraryError, ModelError, QueryError
from indexer.metadata.photo_metadata import PhotoMetadata
from tests.app.colours import ColourEmbedder, World, names


@pytest.fixture
def search(services):
    return services.search


def test_words_find_the_photo_they_describe(search):
    result = search.search(Query(text="blue", limit=2))
    assert names(result.hits) == ["blue.png", "purple.jpg"]
    assert result.hits[0].score > result.hits[1].score
    assert (result.query, result.model, result.total, result.has_more) == ("blue", "colours", 5, True)
    assert result.hits[0].score == pytest.approx(1, abs=1e-2)
    assert result.took_ms > 0


def test_hits_carry_what_the_catalog_knows(search):
    (hit,) = search.search(Query(text="yellow", limit=1)).hits
    assert hit.photo.taken_at == datetime(2021, 7, 4, 10, 11, 12)
    assert (hit.photo.width, hit.photo.height) == (32, 24)


@pytest.mark.parametrize("kind", ["path", "bytes", "picture"])
def test_a_picture_finds_photos_like_it(search, tmp_path, kind):
    path = tmp_path / "query.png"
    image = Image.new("RGB", (40, 40), (0, 200, 0))
    image.save(path)
    picture = {"path": path, "bytes": path.read_bytes(), "picture": image}[kind]
    assert names(search.search(Query(image=picture, limit=1)).hits) == ["green.png"]


@pytest.mark.parametrize(
    ("weight", "first"), [(0.0, "red.png"), (0.5, "yellow.jpg"), (1.0, "green.png")]
)  # red and green light make yellow
def test_words_and_a_picture_are_weighed_against_each_other(search, world, weight, first):
    query = Query(text="red", image=world.photos / "green.png", image_weight=weight, limit=1)
    assert names(search.search(query).hits) == [first]


def test_filters_hold_before_the_best_are_cut(search):
    result = search.search(Query(text="red", filter=make_filter(folder="trip", before="2020"), limit=1))
    assert names(result.hits) == ["purple.jpg"]
    assert (result.total, result.has_more) == (1, False)


@pytest.fixture
def by_pictures_alone(monkeypatch):
    """For tests of vectors: files here are called as what they show."""
    monkeypatch.setattr("app.search.paging.pages.worded", lambda *_: None)


@pytest.mark.usefixtures("by_pictures_alone")
@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("red + green", "yellow.jpg"),
        ("yellow - red", "green.png"),
        ("yellow -green", "red.png"),
        ("purple - 1:red", "blue.png"),
        ("5:red green", "red.png"),
    ],
)
def test_terms_are_added_with_their_signs_and_weights(search, typed, first):
    assert names(search.search(parse(typed)).hits)[0] == first


def test_a_picture_is_a_term_like_another(search, world):
    typed = f'red + image:"{world.photos / "green.png"}"'
    result = search.search(parse(typed, pictures=True))
    assert names(result.hits)[0] == "yellow.jpg"
    assert result.query == typed


def test_filters_alone_give_the_newest_first_page_by_page(search, world):
    first = search.search(replace(parse("-name:red*"), limit=3))
    assert names(first.hits)[:2] == ["yellow.jpg", "purple.jpg"]
    assert (first.total, first.has_more, first.hint) == (4, True, None)
    assert {hit.score for hit in first.hits} == {None}
    rest = search.search(replace(parse("-name:red*"), limit=3, offset=3))
    assert (len(rest.hits), rest.total, rest.has_more) == (1, 4, False)
    assert sorted(names(first.hits + rest.hits)) == ["blue.png", "green.png", "purple.jpg", "yellow.jpg"]
    assert not world.embedder.texts


def test_without_a_question_the_newest_of_all_sound_photos_come_page_by_page(world, tmp_path):
    (world.photos / "broken.jpg").write_bytes(b"no picture")
    world.index()
    service = world.services().search
    first, rest = service.newest(limit=2), service.newest(limit=9, offset=2)
    assert (first.total, first.has_more, rest.has_more) == (5, True, False)
    found = names([*first.hits, *rest.hits])
    assert sorted(found) == ["blue.png", "green.png", "purple.jpg", "red.png", "yellow.jpg"]
    assert found[:2] == ["yellow.jpg", "purple.jpg"]
    assert {hit.score for hit in first.hits} == {None}
    with pytest.raises(QueryError, match="limit"):
        service.newest(limit=0)
    (tmp_path / "empty").mkdir()
    assert World(tmp_path / "empty").services().search.newest().hits == []


def test_a_folder_that_is_none_has_its_neighbours_named(search):
    result = search.search(parse("red folder:tripp"))
    assert (result.total, result.hits) == (0, [])
    assert result.hint == "no folder is called 'tripp'. Near to it are 'trip'."
    assert search.search(parse("red folder:trip after:2030")).hint is None
    assert search.search(parse("folder:zzzzzzzz")).hint == "no folder is called 'zzzzzzzz'."


def test_a_filter_that_nothing_passes_gives_no_hits(search):
    result = search.search(Query(text="red", filter=make_filter(after="2035")))
    assert (result.hits, result.total, result.has_more) == ([], 0, False)


def test_equal_scores_are_ordered_by_path(world):
    for name in ("z.png", "a.png", "m.png", "b/k.png"):
        world.write(name, "black")
    world.index()
    result = world.services().search.search(Query(text="black", limit=4, all_copies=True))
    paths = [str(hit.photo.path) for hit in result.hits]
    assert len({hit.score for hit in result.hits}) == 1
    assert paths == sorted(paths)


def test_pages_follow_each_other(search):
    pages = [search.search(Query(text="red", limit=2, offset=offset)) for offset in (0, 2, 4, 6)]
    together = [name for page in pages for name in names(page.hits)]
    assert together == names(search.search(Query(text="red")).hits)
    assert len(together) == 5
    assert [page.has_more for page in pages] == [True, True, False, False]


def test_sort_by_date_shows_the_newest_first(search):
    assert names(search.search(Query(text="red", sort="date", limit=2)).hits) == ["yellow.jpg", "purple.jpg"]


def test_in_order_of_date_the_instant_counts_whatever_the_clocks_show(world):
    world.index()
    services = world.services()
    clocks = {"red.png": (10, 540), "blue.png": (8, 0), "green.png": (4, -300)}
    found = {path.name: services.library.catalog.photo_at(path) for path in world.photos.rglob("*.png")}
    said = [
        DescribedPhoto(
            found[name].id,
            PhotoMetadata(taken_at=datetime(2030, 5, 6, hour), taken_offset_min=ahead, taken_source="original"),
            *(found[name].size, found[name].mtime_ns, ""),
        )
        for name, (hour, ahead) in clocks.items()
    ]
    services.library.catalog.describe(said)
    search, order = services.search, ["green.png", "blue.png", "red.png"]
    answers = [
        search.search(Query(text="red", sort="date", min_relevance=0)),
        search.search(parse("year:2030")),
        search.newest(),
    ]
    assert [names(answer.hits)[:3] for answer in answers] == [order] * 3
    assert [hit.photo.taken_at.hour for hit in answers[2].hits[:3]] == [4, 8, 10]


def test_similar_leaves_the_photo_itself_out_and_embeds_nothing(search, world):
    world.embedder.images = 0
    yellow = world.services().library.catalog.photo_at(world.photos / "trip/yellow.jpg")
    by_id = search.similar(yellow.id)
    by_path = search.similar(world.photos / "trip/yellow.jpg")
    assert names(by_id.hits) == names(by_path.hits)
    assert "yellow.jpg" not in names(by_id.hits)
    assert (len(by_id.hits), by_id.total, by_id.has_more) == (4, 4, False)
    assert world.embedder.images == 0


def test_similar_needs_no_model_for_a_photo_of_the_library(search, world):
    world.embedders.clear()
    assert len(world.services().search.similar(world.photos / "red.png").hits) == 4


def test_similar_pages_and_filters_without_the_photo_itself(search, world):
    path = world.photos / "trip/yellow.jpg"
    result = search.similar(path, Query(filter=make_filter(folder="trip")))
    assert (names(result.hits), result.total) == (["purple.jpg"], 1)
    nothing = search.similar(path, Query(filter=make_filter(folder="tripp")))
    assert (nothing.total, nothing.hint) == (0, "no folder is called 'tripp'. Near to it are 'trip'.")
    pages = [search.similar(path, Query(limit=1, offset=offset)) for offset in range(4)]
    assert [page.has_more for page in pages] == [True, True, True, False]
    assert len({page.hits[0].photo.id for page in pages}) == 4


def test_similar_orders_a_long_tie_by_path_without_the_photo_itself(world):
    paths = []
    for at in range(40, 0, -10):  # the later a path, the smaller its id
        for number in range(at - 10, at):  # of one colour, and no copies of one another
            paths.append(world.photos / f"{number:02d}.png")
            Image.new("RGB", (32, 24 + number), (10, 10, 10)).save(paths[-1])
        world.index()
    search = world.services().search
    expected = sorted(path.name for path in paths[1:])
    pages = [names(search.similar(paths[0], Query(limit=6, offset=offset)).hits) for offset in range(0, 36, 6)]
    assert [name for page in pages for name in page] == expected[:36]


def test_similar_embeds_a_picture_that_is_not_in_the_library(search, tmp_path):
    path = tmp_path / "other.png"
    Image.new("RGB", (20, 20), (220, 0, 0)).save(path)
    result = search.similar(path)
    assert names(result.hits)[0] == "red.png"
    assert (len(result.hits), result.total) == (5, 5)


def test_similar_knows_a_photo_by_a_relative_path_and_through_a_link(search, world, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(world.photos)
    monkeypatch.chdir(tmp_path)
    assert len(search.similar(Path("photos/red.png")).hits) == 4
    assert len(search.similar(tmp_path / "link" / "red.png").hits) == 4


def test_similar_to_several_is_like_all_of_them(search, world, tmp_path):
    world.write("orange.png", (230, 120, 20))
    world.index()
    red, yellow = world.photos / "red.png", world.photos / "trip/yellow.jpg"
    result = search.similar([red, yellow])
    assert names(result.hits)[0] == "orange.png"
    assert (len(result.hits), result.total, result.query) == (4, 4, f"{red}, {yellow}")
    ids = [world.services().library.catalog.photo_at(path).id for path in (red, yellow, red)]
    assert names(search.similar(ids).hits) == names(search.similar([*ids[:1], red, yellow]).hits)
    Image.new("RGB", (20, 20), (230, 20, 20)).save(tmp_path / "outside.png")
    mixed = search.similar([tmp_path / "outside.png", yellow], Query(limit=2))
    assert (names(mixed.hits)[0], mixed.total) == ("orange.png", 5)


def test_similar_leaves_copies_out_and_near_ones_in(search, world):
    shutil.copyfile(world.photos / "red.png", world.photos / "trip" / "red again.png")
    Image.new("RGB", (40, 24), (230, 20, 20)).save(world.photos / "wider.png")
    world.index()
    for query, total in ((Query(), 5), (Query(filter=make_filter(name="r")), 3), (Query(sort="date"), 5)):
        result = search.similar(world.photos / "red.png", query)
        assert not {"red.png", "red again.png"} & set(names(result.hits))
        assert result.total == len(result.hits) == total
    assert names(search.similar(world.photos / "red.png").hits)[0] == "wider.png"


def test_different_photos_never_stand_behind_one_another_however_alike_they_look(world):
    for number in range(6):  # to a model that sees the colour alone they are one
        Image.new("RGB", (40 + number, 30), (10, 10, 10)).save(world.photos / f"page {number}.png")
    shutil.copyfile(world.photos / "page 3.png", world.photos / "twin.png")
    world.index()
    search = world.services().search
    for query in (Query(text="black"), Query(text="black", sort="date")):
        hits = search.search(replace(query, min_relevance=0, limit=50)).hits
        assert len([hit for hit in hits if hit.photo.path.name.startswith(("page", "twin"))]) == 6
        assert [len(hit.copies) for hit in hits if hit.copies] == [1]


def test_in_order_of_date_the_newest_of_copies_stands(world):
    for name, year in (("a.png", 2001), ("b.png", 2003), ("c.png", 2002)):
        shutil.copyfile(world.photos / "red.png", world.photos / name)
        os.utime(world.photos / name, (datetime(year, 1, 1, tzinfo=UTC).timestamp(),) * 2)
    os.utime(world.photos / "red.png", (datetime(2000, 1, 1, tzinfo=UTC).timestamp(),) * 2)
    world.index()
    hits = world.services().search.search(Query(text="red", sort="date")).hits
    standing = [(hit.photo.path.name, [one.path.name for one in hit.copies]) for hit in hits if hit.copies]
    assert standing == [("b.png", ["c.png", "a.png", "red.png"])]


@pytest.mark.parametrize("count", [0, 101])
def test_similar_to_none_or_too_many_is_refused(search, world, count):
    with pytest.raises(QueryError, match="it goes from 1 to 100"):
        search.similar([world.photos / "red.png"] * count)


def test_similar_to_what_cancels_itself_out_is_refused(search, monkeypatch):
    turns = iter([1.0, -1.0])
    monkeypatch.setattr(
        search._library.catalog, "embedding_of", lambda *asked: next(turns) * np.eye(1, 8, dtype=np.float16)[0]
    )
    with pytest.raises(QueryError, match="nothing in common"):
        search.similar([1, 2])


def test_similar_to_an_unknown_id_is_refused(search):
    with pytest.raises(QueryError, match="no photo with the id 999"):
        search.similar(999)


def test_what_another_process_indexed_is_found_at_once(search, world):
    assert "new.png" not in names(search.search(Query(text="black")).hits)
    world.write("new.png", "black")
    (world.photos / "red.png").unlink()
    world.index()
    assert names(search.search(Query(text="black")).hits)[0] == "new.png"
    assert "red.png" not in names(search.search(Query(text="red")).hits)


def test_a_text_is_embedded_once_for_all_its_pages(search, world):
    for offset in (0, 2, 4):
        search.search(Query(text="blue", offset=offset, limit=2))
    assert world.embedder.texts == ["blue"]


def test_searches_from_many_threads_agree(search):
    found, threads = [], []
    for colour in ["red", "green", "blue", "yellow"] * 8:
        run = lambda colour=colour: found.append((colour, names(search.search(Query(text=colour)).hits)[0]))  # noqa: E731
        threads.append(threading.Thread(target=run))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 32
    assert all(Path(name).stem == colour for colour, name in found)


def test_an_empty_library_says_what_to_do(world):
    with pytest.raises(EmptyLibraryError, match=r"holds no photos yet\. Run: picsift index FOLDER"):
        world.services().search.search(Query(text="red"))


def test_photos_that_the_model_has_not_embedded_are_not_taken_for_none(world):
    world.index()
    services = world.services()
    with services.library.catalog.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM embeddings")  # as damaged vectors go, or a model that comes anew lacks
    for query in (Query(text="red"), parse("red folder:trip"), parse("folder:trip")):
        found = services.search.search(query)
        assert (found.total, found.hits) == (0, [])
        assert found.hint.startswith("no photo can be searched yet: 5 photos are not embedded")
    assert services.duplicates.find().hint == found.hint


def test_searching_makes_no_library(world):
    with pytest.raises(LibraryError):
        world.services(create=False)
    assert not world.settings.library.exists()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (Query(), "the query is empty"),
        (Query(text="  \n"), "the query is empty"),
        (parse("red - red"), "cancels itself out"),
        (parse("red -100:red +99:red"), "cancels itself out"),
        (parse("0.1:red + 0.2:red - 0.3:red"), "cancels itself out"),
        (parse("image:/no/such.jpg", pictures=True), "there is no picture /no/such.jpg"),
        (Query(text="x" * (MAX_TEXT + 1)), "10,001 characters"),
        (Query(text="red", limit=0), "the limit is 0; it goes from 1 to 1,000"),
        (Query(text="red", limit=MAX_LIMIT + 1), "the limit is 1001"),
        (Query(text="red", offset=-1), "the offset is -1"),
        (Query(image=b"no picture"), "the picture cannot be searched by"),
        (Query(image=b""), "the picture cannot be searched by"),
        (Query(image=Path("/no/such.jpg")), "there is no picture /no/such.jpg"),
        (Query(text="red", image=b"x", image_weight=1.5), "weight is 1.5"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_sentence(search, query, said):
    with pytest.raises(QueryError, match=said):
        search.search(query)


@pytest.mark.parametrize(
    ("typed", "small"), [("- red", "-0.000001:red"), ("red + green", "0.000001:red + 0.000001:green")]
)
def test_small_weights_are_none_that_cancel_out(search, typed, small):
    few, many = search.search(parse(small)).hits, search.search(parse(typed)).hits
    assert [hit.photo.path for hit in few] == [hit.photo.path for hit in many]


def test_a_folder_is_no_query_picture(search, tmp_path):
    with pytest.raises(QueryError, match="cannot be searched by"):
        search.similar(tmp_path)


def test_a_model_that_is_gone_is_named_with_what_to_do(world):
    world.index()
    world.embedders.clear()
    with pytest.raises(
        ModelError, match=r"embedded with the model 'colours', which cannot be used.*picsift index --model"
    ):
        world.services().search.search(Query(text="red"))


def test_a_model_that_changed_under_its_name_is_not_searched_with(world):
    world.index()
    world.embedders["colours"] = ColourEmbedder(fingerprint="d1" * 32, turn=2)
    with pytest.raises(ModelError, match=r"fingerprint is d1d1d1d1d1d1, the library's c0c0c0c0c0c0"):
        world.services().search.search(Query(text="red"))


def test_a_model_with_new_weights_takes_over_when_it_has_embedded_everything(tmp_path, monkeypatch):
    old, new = ColourEmbedder(), ColourEmbedder(fingerprint="d1" * 32, turn=2)
    world = World(tmp_path, old)
    for colour in ("red", "green", "blue"):
        world.write(f"{colour}.png", colour)
    world.index()
    # A newer picsift: the name has other weights, and those of before are kept under another name.
    world.embedders |= {"colours": new, "colours-1": ColourEmbedder(name="colours-1")}
    monkeypatch.setattr(embedders, "kept_model", {old.fingerprint: "colours-1"}.get)
    services = world.services()
    assert names(services.search.search(Query(text="green", limit=1)).hits) == ["green.png"]
    with services.library.writer_lock():
        services.library.catalog.model(new.name, new.fingerprint, new.dim)
    assert names(services.search.search(Query(text="blue", limit=1)).hits) == ["blue.png"]
    assert world.embedders["colours-1"].texts == ["green", "blue"]
    assert ["goes on answering" in problem for problem in read_status(services).problems] == [True]
    assert any("from now on" in message for message in world.index().messages)
    assert names(services.search.search(Query(text="red", limit=1)).hits) == ["red.png"]
    assert new.texts == ["red"]
    assert read_status(services).problems == []


def test_a_change_of_the_active_model_is_followed(tmp_path):
    world = World(tmp_path, ColourEmbedder(), ColourEmbedder(name="turned", fingerprint="7a" * 32, turn=3))
    for colour in ("red", "green", "blue"):
        world.write(f"{colour}.png", colour)
    world.index("colours")
    search = world.services().search
    assert search.search(Query(text="green", limit=1)).model == "colours"
    world.index("turned")
    result = search.search(Query(text="green", limit=1))
    assert (result.model, names(result.hits)) == ("turned", ["green.png"])


def test_a_damaged_index_is_repaired_and_said(search, world, caplog):
    folder = world.services().library.index_folder(world.services().library.catalog.active_model())
    for path in folder.iterdir():
        path.write_bytes(b"damaged")
    assert names(world.services().search.search(Query(text="red", limit=1)).hits) == ["red.png"]
    assert "rebuilt" in caplog.text


def test_warming_up_opens_everything_a_search_needs(search, world):
    search.warm_up()
    assert len(world.embedder.texts) > FEW_CALLS  # each by itself, until they are embedded in one call


@pytest.mark.usefixtures("by_pictures_alone")
@pytest.mark.parametrize("marks", [{"right": "purple.jpg"}, {"wrong": "yellow.jpg"}])
def test_marks_put_what_is_like_them_first_or_last(search, marks):
    ids = {name: search.photo_at(search._library.catalog.roots()[0].path / "trip" / name) for name in marks.values()}
    query = Query(text="red", **{kind: (ids[name],) for kind, name in marks.items()})
    plain, drawn = names(search.search(Query(text="red")).hits), names(search.search(query).hits)
    assert plain[:3] == ["red.png", "yellow.jpg", "purple.jpg"]
    if "right" in marks:
        assert drawn.index("purple.jpg") < drawn.index("yellow.jpg")
        assert drawn.index("blue.png") < drawn.index("green.png")
    else:
        assert "yellow.jpg" not in drawn
        assert len(drawn) == 4


def test_a_mark_on_a_file_that_is_no_photo_of_the_library_is_refused(search, tmp_path):
    with pytest.raises(QueryError, match="is no photo of the library"):
        search.photo_at(tmp_path / "other.png")
