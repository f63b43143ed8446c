"""Pages of the whole service over a real catalog and index that change between them."""

from dataclasses import replace

import pytest

from app.search import query as queries
from app.search.language.parsing import parse
from app.search.paging.asked import CursorGoneError
from app.search.query import Query
from indexer.catalog.records import CopiedPhoto
from indexer.errors import QueryError
from tests.app.colours import NAMES, ColourEmbedder, World, names

MOST_PAGES = 12
EVERY = ["blue.png", "green.png", "purple.jpg", "red.png", "yellow.jpg"]


@pytest.fixture
def search(services):
    return services.search


def id_of(search, name):
    return search.search(parse(f"name:{name}", pictures=False)).hits[0].photo.id


def copy_of(search, name, path):
    """A copy of a photo that comes to the library."""
    catalog = search._library.catalog
    photo = catalog.photo(id_of(search, name))
    copied = CopiedPhoto(path, photo.size, photo.mtime_ns, photo.content_hash, photo.id)
    return catalog.store_copies(photo.root_id, [copied])[0]


def rest(search, result, **asked):
    """All pages behind a result, one after the other; of so few photos there are not many."""
    for _ in range(MOST_PAGES):
        if result.following is None:
            return
        result = search.go_on(result.following, **asked)
        yield result
    pytest.fail("the pages do not end")


@pytest.mark.parametrize("typed", ["blue", "blue + red", "-name:nothing", "blue -name:nothing", "NOT name:nothing"])
@pytest.mark.parametrize("sort", ["relevance", "date"])
def test_pages_go_on_to_the_end_and_count_the_whole(search, typed, sort):
    query = replace(parse(typed), limit=2, sort=sort)
    pages = [first := search.search(query), *rest(search, first)]
    found = [name for page in pages for name in names(page.hits)]
    assert found == names(search.search(replace(query, limit=20)).hits)
    assert sorted(found) == EVERY
    assert [(page.total, page.matches, page.has_more) for page in pages] == [
        (5, first.matches, more) for more in (1, 1, 0)
    ]
    assert {page.query for page in pages} == {first.query}


def test_the_same_page_comes_as_often_as_it_is_asked_for_and_the_limit_may_change(search):
    first = search.search(Query(text="blue", limit=1))
    pages = [search.go_on(first.following) for _ in range(2)]
    assert replace(pages[0], took_ms=0) == replace(pages[1], took_ms=0)
    assert len(search.go_on(first.following, limit=3).hits) == 3
    with pytest.raises(QueryError, match="limit"):
        search.go_on(first.following, limit=queries.MAX_LIMIT + 1)


@pytest.mark.parametrize("typed", ["blue", "-name:nothing", "blue -name:nothing"])
@pytest.mark.parametrize("sort", ["relevance", "date"])
def test_what_goes_and_comes_shifts_nothing(search, world, typed, sort):
    query = replace(parse(typed), limit=2, sort=sort)
    whole = names(search.search(replace(query, limit=20)).hits)
    first = search.search(query)
    catalog = search._library.catalog
    catalog.remove([first.hits[0].photo.id, id_of(search, whole[4])])
    world.write("new.png", (0, 0, 240))
    assert world.services().library.catalog.version() is not None
    (world.photos / whole[0] if (world.photos / whole[0]).exists() else world.photos / "trip" / whole[0]).unlink()
    gone = world.photos / whole[4]
    (gone if gone.exists() else world.photos / "trip" / whole[4]).unlink()
    world.index()
    found = [name for page in rest(search, first) for name in names(page.hits)]
    assert sorted(found) == sorted([*whole[2:4], "new.png"])


def test_copies_that_were_shown_do_not_come_and_new_ones_do_alone(search):
    copy_of(search, "blue.png", "aaa.png")
    first = search.search(Query(text="blue", limit=1))
    assert (names(first.hits), len(first.hits[0].copies)) == (["blue.png"], 1)
    copy_of(search, "blue.png", "a.png")
    hits = [hit for page in rest(search, first) for hit in page.hits]
    assert sorted(names(hits)) == ["a.png", *EVERY[1:]]
    assert not any(hit.copies for hit in hits)


def test_photos_like_one_leave_it_and_what_becomes_a_copy_of_it_out(search):
    first = search.similar(id_of(search, "blue.png"), Query(limit=1))
    copy_of(search, "blue.png", "later.png")
    pages = [first, *rest(search, first)]
    assert sorted(name for page in pages for name in names(page.hits)) == EVERY[1:]
    assert pages[1].total == 4
    assert pages[1].query == first.query


def test_a_photo_that_is_the_source_no_more_hides_no_copies_of_what_it_became(search):
    blue = id_of(search, "blue.png")
    first = search.similar(blue, Query(limit=1))
    following = replace(first.following, without={blue: "another picture"})
    copy_of(search, "blue.png", "later.png")
    found = [name for page in rest(search, replace(first, following=following)) for name in names(page.hits)]
    assert "later.png" in found
    assert "blue.png" not in found


def test_a_picture_is_embedded_once(services, world):
    search = services.search
    first = search.search(Query(image=world.photos / "green.png", limit=1))
    embedded = world.embedder.images
    found = [name for page in [first, *rest(search, first)] for name in names(page.hits)]
    assert (found[0], sorted(found)) == ("green.png", EVERY)
    assert world.embedder.images == embedded
    assert first.following.query.image is None


def test_marks_hold_on_every_page_though_the_marked_photo_goes(search):
    red, green = id_of(search, "red.png"), id_of(search, "green.png")
    query = Query(text="blue", limit=1, right=(red,), wrong=(green,))
    whole = names(search.search(replace(query, limit=20)).hits)
    first = search.search(query)
    search._library.catalog.remove([red] if first.hits[0].photo.id != red else [])
    found = [name for page in [first, *rest(search, first)] for name in names(page.hits)]
    assert found == [name for name in whole if name != "red.png" or name in found]
    assert "green.png" not in found


@pytest.mark.relevance
def test_relevance_is_read_as_on_the_first_page(search, monkeypatch):
    monkeypatch.setattr(search._background, "_names", lambda: list(NAMES))
    first = search.search(Query(text="blue", limit=1))
    monkeypatch.setattr(search._background, "of", None)
    pages = list(rest(search, first))
    assert all(hit.relevance is not None for page in pages for hit in page.hits)
    assert pages[0].following.calibration == first.following.calibration


def test_an_offset_has_no_following_page_and_the_last_one_neither(search):
    assert search.search(Query(text="blue", limit=1, offset=1)).following is None
    assert search.search(Query(text="blue")).following is None
    assert search.newest(limit=1, offset=1).following is None
    assert search.newest().following is None


@pytest.mark.parametrize("all_copies", [False, True])
def test_all_photos_of_no_query_go_on_too_whatever_comes_and_goes(search, all_copies):
    whole = names(search.newest().hits)
    first = search.newest(limit=2, all_copies=all_copies)
    search._library.catalog.remove([first.hits[0].photo.id, id_of(search, whole[3])])
    copy_of(search, whole[2], "copy.png")
    left = [whole[2], "copy.png", whole[4]] if all_copies else [whole[2], whole[4]]
    pages = [search.go_on(first.following, limit=1), *rest(search, search.go_on(first.following, limit=1), limit=1)]
    shown = [hit for page in pages for hit in page.hits]
    copied = {copy.path.name for hit in shown for copy in hit.copies}
    assert sorted({*names(shown), *copied}) == sorted({*left, "copy.png"})
    assert len(shown) == len(left)
    with pytest.raises(CursorGoneError, match="Search again"):
        search.go_on(replace(first.following, file=first.following.file + 1))


@pytest.mark.parametrize("typed", ["blue -name:nothing", "blue"])
@pytest.mark.parametrize("sort", ["relevance", "date"])
def test_what_the_index_has_not_yet_leaves_no_gap_in_a_page(search, monkeypatch, typed, sort):
    query = replace(parse(typed), limit=2, sort=sort, all_copies=True)
    search.search(query)
    monkeypatch.setattr("app.search.live_index.refresh", lambda *_: None)  # another process writes the catalog first
    for name in ("blue one.png", "blue two.png", "blue three.png"):
        copy_of(search, "blue.png", name)
    first = search.search(query)
    pages = [first, *rest(search, first)]
    assert [len(page.hits) for page in pages] == [2, 2, 1]
    assert sorted(name for page in pages for name in names(page.hits)) == EVERY


def test_all_photos_go_on_without_a_model(search, monkeypatch):
    first = search.newest(limit=4)
    monkeypatch.setattr(search.live, "model", lambda: pytest.fail("no model is asked"))
    assert len(search.go_on(first.following).hits) == 1


def test_a_filter_that_passes_nothing_any_more_ends_the_pages(search, monkeypatch):
    query = replace(parse("blue folder:trip"), limit=1)
    first = search.search(query)
    assert first.following is not None
    catalog = search._library.catalog
    catalog.remove([hit.photo.id for hit in search.search(replace(query, limit=20)).hits])
    anew = search.search(query)
    monkeypatch.setattr(search.live, "index", None)
    page = search.go_on(first.following)
    assert (page.hits, page.total, page.has_more, page.following) == ([], 0, False, None)
    assert (page.hint, page.matches) == (anew.hint, anew.matches), "it says what a new search would"


def test_of_another_model_or_file_nothing_goes_on(tmp_path):
    world = World(tmp_path, ColourEmbedder(), ColourEmbedder(name="turned", fingerprint="d1" * 32, turn=2))
    for name in ("red", "blue"):
        world.write(f"{name}.png", name)
    world.index()
    search = world.services().search
    first = search.search(Query(text="blue", limit=1))
    with pytest.raises(CursorGoneError, match="Search again"):
        search.go_on(replace(first.following, file=first.following.file + 1))
    assert names(search.go_on(first.following).hits) == ["red.png"]
    world.index("turned")
    with pytest.raises(CursorGoneError, match="another model"):
        search.go_on(first.following)


@pytest.fixture
def looked(search, monkeypatch):
    """Whether each look at the whole index was exact; others see its nearest four alone, as if it had lists."""
    index, looked = search.live.index(search.live.model()), []
    whole = type(index).search
    monkeypatch.setattr(type(index), "lists", property(lambda _: object()))

    def missing(self, vectors, k, allowed=None, *, exact=False, least=None):
        if allowed is None:
            looked.append(exact)
        found = whole(self, vectors, k, allowed, exact=True, least=least)
        return found if exact else [(ids[:4], scores[:4]) for ids, scores in found]

    monkeypatch.setattr(type(index), "search", missing)
    return looked


def test_the_last_page_looks_at_everything(search, looked):
    pages = list(rest(search, first := search.search(Query(text="blue", limit=2))))
    assert [len(page.hits) for page in pages] == [2, 1]
    assert len({name for page in [first, *pages] for name in names(page.hits)}) == 5
    assert search.search(Query(text="blue", limit=2, offset=2)).has_more is False, "no page goes on from there"


@pytest.mark.parametrize(("limit", "has_more"), [(4, True), (5, False), (9, False)])
def test_a_first_page_at_which_the_lists_end_looks_at_everything(search, looked, limit, has_more):
    first = search.search(Query(text="blue", limit=limit))
    assert (len(first.hits), first.has_more) == (min(limit, 5), has_more)
    assert sorted(names([hit for page in [first, *rest(search, first)] for hit in page.hits])) == EVERY


@pytest.mark.relevance
def test_no_page_looks_exactly_twice(search, looked, monkeypatch):
    monkeypatch.setattr(search._background, "_names", lambda: list(NAMES))
    assert search.reading(Query(text="blue"))[1] is not None
    looked.clear()
    named = search.search(Query(text="blue", min_relevance=1.0))
    assert (names(named.hits), looked) == (["blue.png"], [False, True]), "nothing is near enough"
    looked.clear()
    few = search.search(Query(text="blue", min_relevance=0.3))
    assert (0 < len(few.hits) < 4, few.has_more, looked) == (True, False, [False, True])
