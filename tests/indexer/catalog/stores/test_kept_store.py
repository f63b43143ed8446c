"""What was decided of photos that are gone is given back with the photo, once, and not for ever."""

from datetime import UTC, datetime, timedelta

import pytest

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database, writing
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import CopiedPhoto, DescribedPhoto, FailedPhoto, Move
from indexer.catalog.stores import kept_store
from indexer.catalog.tag_records import Decision, Edit, Suggestion
from indexer.metadata.photo_metadata import PhotoMetadata
from tests.indexer.catalog_samples import DIM, new, vectors

DOG, CAT, ANIMAL = ("animal", "dog"), ("animal", "cat"), ("animal",)


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    yield catalog
    catalog.close()


@pytest.fixture
def root(catalog, tmp_path):
    return catalog.add_root(tmp_path / "photos")[0]


@pytest.fixture
def model(catalog):
    return catalog.model("tiny", "f1", DIM).id


@pytest.fixture
def photo(catalog, root, model):
    [photo] = catalog.store(root.id, [new("x/a.jpg", "A", title="of the file")], model, vectors(1))
    catalog.tags.decide([Decision(photo, DOG, "accepted", "hand"), Decision(photo, CAT, "rejected", "hand")])
    catalog.tags.edit([Edit(photo, "title", "By hand", "hand"), Edit(photo, "rating", "5", "hand")])
    return photo


def stored(catalog, root, model, path="x/a.jpg", content="A"):
    [photo] = catalog.store(root.id, [new(path, content, title="of the file")], model, vectors(1))
    return photo


def states(catalog, photo):
    return {tag.path: tag.state for tag in catalog.tags.of([photo]).get(photo, ())}


def kept(catalog):
    with writing(catalog.engine) as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM kept_decisions").scalar()


@pytest.mark.parametrize("path", ["x/a.jpg", "other.jpg"])
def test_a_photo_that_is_put_back_has_what_was_decided_and_the_library_keeps_it_once(catalog, root, model, photo, path):
    before = catalog.tags.of([photo])[photo]
    catalog.remove([photo])
    assert kept(catalog) == 4
    back = stored(catalog, root, model, path)
    assert back != photo
    assert catalog.tags.of([back])[back] == before  # also origin and time
    assert catalog.tags.edits([back]) == {back: {"title": "By hand", "rating": "5"}}
    record = catalog.photo(back)
    assert (record.title, record.rating) == ("By hand", 5)
    assert kept(catalog) == 0
    another = stored(catalog, root, model, "another.jpg", "B")
    assert states(catalog, another) == {}


def test_suggestions_are_not_kept_and_numbers_beside_decisions_are(catalog, root, model, photo):
    ids = catalog.tags.make([DOG, ANIMAL])
    catalog.tags.suggest(model, [photo], [*ids.values()], [Suggestion(photo, one, 0.25, 0.5) for one in ids.values()])
    catalog.remove([photo])
    back = stored(catalog, root, model)
    assert states(catalog, back) == {DOG: "accepted", CAT: "rejected"}
    dog = next(tag for tag in catalog.tags.of([back])[back] if tag.path == DOG)
    assert (dog.score, dog.confidence) == (0.25, 0.5)


def test_what_comes_back_counts_at_once_for_filters_and_learning(catalog, root, model, photo):
    catalog.remove([photo])
    dog = catalog.tags.make([DOG])[DOG]
    wanted = PhotoFilter(tags=(DOG,))
    assert (catalog.tags.decided(dog), catalog.allowed_ids(model, wanted).tolist()) == ({}, [])
    version = catalog.version()
    back = stored(catalog, root, model)
    assert catalog.version() != version
    assert (catalog.tags.decided(dog), catalog.allowed_ids(model, wanted).tolist()) == ({back: True}, [back])


def test_a_photo_that_another_took_the_place_of_is_kept_too(catalog, root, model, photo):
    other = stored(catalog, root, model, "b.jpg", "B")
    catalog.move([Move(other, root.id, "x/a.jpg", 10, 20)])
    assert states(catalog, other) == {}
    back = stored(catalog, root, model, "c.jpg")
    assert states(catalog, back) == {DOG: "accepted", CAT: "rejected"}


def test_of_a_live_copy_and_what_was_kept_the_later_decision_holds(catalog, root, model, photo):
    copy = stored(catalog, root, model, "copy.jpg")
    catalog.tags.decide([Decision(copy, CAT, "accepted"), Decision(photo, ANIMAL, "accepted")])
    catalog.tags.decide([Decision(photo, DOG, "rejected")])
    catalog.remove([photo])
    [back] = catalog.store_copies(root.id, [CopiedPhoto("x/a.jpg", 10, 20, "A", copy)])
    assert states(catalog, back) == {DOG: "rejected", CAT: "accepted", ANIMAL: "accepted"}
    assert catalog.tags.edits([back]) == {back: {"title": "By hand", "rating": "5"}}
    assert states(catalog, copy) == {DOG: "accepted", CAT: "accepted"}
    assert kept(catalog) == 0


def test_copies_that_went_together_have_each_its_own_again(catalog, root, model, photo):
    copy = stored(catalog, root, model, "copy.jpg")
    catalog.tags.edit([Edit(copy, "title", "The copy", "hand")])
    catalog.remove([photo, copy])
    back = [stored(catalog, root, model, path) for path in ("x/a.jpg", "copy.jpg")]
    assert [catalog.tags.edits([one])[one]["title"] for one in back] == ["By hand", "The copy"]
    assert kept(catalog) == 0


def test_a_photo_that_becomes_the_picture_of_a_gone_one_has_its_decisions_beside_later_ones(
    catalog, root, model, photo
):
    other = stored(catalog, root, model, "b.jpg", "B")
    catalog.tags.decide([Decision(other, CAT, "accepted")])
    catalog.remove([photo])
    assert stored(catalog, root, model, "b.jpg", "A") == other
    assert states(catalog, other) == {DOG: "accepted", CAT: "accepted"}


def test_a_tag_that_was_deleted_renamed_or_merged_meanwhile_stays_so(catalog, root, model, photo):
    catalog.remove([photo])
    catalog.tags.remove(DOG)
    catalog.tags.rename(CAT, ("pet",))
    back = stored(catalog, root, model)
    assert states(catalog, back) == {("pet",): "rejected"}
    assert DOG not in catalog.tags.paths().values()
    catalog.remove([back])
    catalog.tags.decide([Decision(stored(catalog, root, model, "b.jpg", "B"), ANIMAL, "accepted")])
    catalog.tags.merge(("pet",), ANIMAL)
    assert states(catalog, stored(catalog, root, model)) == {ANIMAL: "rejected"}


def test_what_is_taken_back_of_a_copy_is_not_kept_of_its_gone_original(catalog, root, model, photo):
    copy = stored(catalog, root, model, "copy.jpg")
    own = stored(catalog, root, model, "own.jpg", "B")
    catalog.tags.decide([Decision(own, DOG, "accepted")])
    catalog.remove([photo, own])
    catalog.tags.undecide([copy], catalog.tags.make([DOG])[DOG])
    catalog.fail(root.id, [FailedPhoto("copy.jpg", 10, 20, "for a while")])
    assert stored(catalog, root, model, "copy.jpg") == copy
    assert states(catalog, copy) == {CAT: "rejected"}
    assert states(catalog, stored(catalog, root, model, "another.jpg")) == {CAT: "rejected"}
    assert states(catalog, stored(catalog, root, model, "own.jpg", "B")) == {DOG: "accepted"}


def test_what_is_taken_back_of_a_decision_on_a_copy_alone_stays_kept_of_the_original(catalog, root, model, photo):
    catalog.tags.undecide([photo], catalog.tags.make([DOG])[DOG])
    copy = stored(catalog, root, model, "copy.jpg")
    catalog.tags.decide([Decision(copy, DOG, "accepted")])
    catalog.tags.decide([Decision(photo, DOG, "accepted")])
    catalog.remove([photo])
    catalog.tags.undecide([copy], catalog.tags.make([DOG])[DOG])
    assert states(catalog, stored(catalog, root, model)) == {DOG: "accepted", CAT: "rejected"}


def test_what_two_copies_were_given_at_once_is_taken_back_of_both(catalog, root, model, photo):
    copy = stored(catalog, root, model, "copy.jpg")
    catalog.tags.edit([Edit(one, "title", "Both", "hand") for one in (photo, copy)])
    catalog.remove([photo])
    assert catalog.tags.forget_edits([DescribedPhoto(copy, PhotoMetadata(), 10, 20, "")]) == 1
    back = stored(catalog, root, model)
    assert catalog.tags.edits([back]) == {back: {"rating": "5"}}  # which was of the gone one alone
    assert states(catalog, back)[DOG] == "accepted"


def test_a_root_that_is_forgotten_is_forgotten_with_its_gone_photos(catalog, root, model, photo, tmp_path):
    other, _ = catalog.add_root(tmp_path / "others")
    there = stored(catalog, other, model)
    catalog.tags.undecide([there], catalog.tags.make([CAT])[CAT])
    catalog.remove([photo, there])
    assert kept(catalog) == 5
    catalog.forget(root.id)
    assert kept(catalog) == 1  # what was decided elsewhere is that root's
    assert states(catalog, stored(catalog, other, model)) == {DOG: "accepted"}
    catalog.forget(other.id)
    again, _ = catalog.add_root(tmp_path / "photos")
    assert states(catalog, stored(catalog, again, model)) == {}


def test_what_is_kept_goes_with_the_folder_into_another_root(catalog, root, model, photo, tmp_path):
    catalog.remove([photo])
    outer, _ = catalog.add_root(tmp_path)
    assert [one.path for one in catalog.roots()] == [tmp_path]
    back = stored(catalog, outer, model, "photos/x/a.jpg")
    assert states(catalog, back) == {DOG: "accepted", CAT: "rejected"}
    catalog.remove([back])
    catalog.forget(outer.id)
    assert kept(catalog) == 0


def test_what_was_kept_longer_than_a_year_goes_with_the_next_photo_and_is_not_given_back(catalog, root, model, photo):
    other = stored(catalog, root, model, "b.jpg", "B")
    catalog.tags.decide([Decision(other, CAT, "accepted")])
    now = datetime.now(UTC)
    with writing(catalog.engine) as connection:
        kept_store.keep(connection, [photo], now - kept_store.LONGEST)
        kept_store.keep(connection, [other], now - timedelta(days=1))
    assert kept(catalog) == 5
    assert states(catalog, stored(catalog, root, model, "late.jpg")) == {
        DOG: "accepted",
        CAT: "rejected",
    }  # of the live
    assert catalog.tags.edits([catalog.photo_at(root.path / "late.jpg").id]) == {}
    assert kept(catalog) == 1


def test_what_was_kept_longer_than_a_year_goes_when_photos_go(catalog, root, model, photo):
    with writing(catalog.engine) as connection:
        kept_store.keep(connection, [photo], datetime.now(UTC) - kept_store.LONGEST)
    catalog.remove([stored(catalog, root, model, "b.jpg", "B")])  # of which nothing is kept
    assert kept(catalog) == 0


def test_of_more_than_so_many_decisions_the_oldest_go(catalog, root, model, photo, monkeypatch):
    monkeypatch.setattr(kept_store, "MOST", 4)
    other = stored(catalog, root, model, "b.jpg", "B")
    catalog.tags.decide([Decision(other, path, "accepted") for path in (DOG, CAT, ANIMAL)])
    catalog.remove([photo])
    assert kept(catalog) == 4
    catalog.remove([other])
    assert kept(catalog) == 4
    assert len(states(catalog, stored(catalog, root, model, "b.jpg", "B"))) == 3


def test_a_removal_of_very_many_looks_at_no_more_than_can_be_kept(catalog, root, model, photo, monkeypatch):
    monkeypatch.setattr(kept_store, "MOST", 4)
    monkeypatch.setattr(kept_store, "in_chunks", lambda ids: ([one] for one in ids))
    other = stored(catalog, root, model, "b.jpg", "B")
    catalog.tags.decide([Decision(other, CAT, "accepted")])
    catalog.remove([photo, other])
    assert kept(catalog) == 4
    assert len(states(catalog, stored(catalog, root, model))) == 2


def test_what_breaks_off_keeps_and_loses_nothing(catalog, root, model, photo, monkeypatch):
    before = states(catalog, photo)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("indexer.catalog.stores.photo_store.prune_folders", _stopped)
        catalog.remove([photo])
    assert (states(catalog, photo), kept(catalog)) == (before, 0)
    catalog.remove([photo])
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("indexer.catalog.stores.photo_store.put_keywords", _stopped)
        stored(catalog, root, model)
    assert kept(catalog) == 4
    assert states(catalog, stored(catalog, root, model)) == before


def _stopped(*_):
    raise KeyboardInterrupt
