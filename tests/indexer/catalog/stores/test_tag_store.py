"""Tags in the catalog: made, found, decided, suggested, renamed, merged, and never lost to a model."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database
from indexer.catalog.filters import tag_filter
from indexer.catalog.journal.records import Step
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import CopiedPhoto, FailedPhoto, Move
from indexer.catalog.stores import suggestion_store
from indexer.catalog.tag_records import Decision, Edit, Suggestion
from indexer.errors import TagError
from tests.fuzzing import examples
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
def photos(catalog, root, model):
    return catalog.store(root.id, [new("a.jpg"), new("b.jpg"), new("c.jpg")], model, vectors(3))


def states(catalog, photo_id):
    return {tag.path: tag.state for tag in catalog.tags.of([photo_id]).get(photo_id, ())}


def suggest(catalog, model, photos, path, confidence=0.6):
    number = catalog.tags.make([path])[path]
    catalog.tags.suggest(model, photos, [number], [Suggestion(photo, number, 0.25, confidence) for photo in photos])
    return number


def test_a_tag_is_made_once_whatever_it_is_called(catalog):
    odd = [("AC/DC",), ("a|b", "c,d"), ("名前", "café"), ('say "hi"',)]
    first = catalog.tags.make(odd)
    assert catalog.tags.make(odd) == first
    assert set(catalog.tags.paths().values()) == set(odd)


@pytest.mark.parametrize("path", [(), ("",), ("a", ""), ("a\x1fb",)])
def test_a_path_without_names_or_with_the_separator_in_one_is_refused(catalog, path):
    with pytest.raises(ValueError, match="names without control characters"):
        catalog.tags.make([path])


def test_a_suggestion_keeps_model_score_confidence_and_date(catalog, model, photos):
    suggest(catalog, model, photos[:1], DOG)
    tag = catalog.tags.of(photos)[photos[0]][0]
    assert (tag.path, tag.state, tag.origin, tag.model) == (DOG, "suggested", "model", "tiny")
    assert (tag.score, tag.confidence) == (0.25, 0.6)
    assert abs((datetime.now(UTC) - tag.changed_at).total_seconds()) < 60


def test_what_was_decided_stays_when_models_suggest_again(catalog, model, photos):
    number = suggest(catalog, model, photos, DOG)
    catalog.tags.decide([Decision(photos[0], DOG, "accepted"), Decision(photos[1], DOG, "rejected")])
    catalog.tags.suggest(model, photos, [number], [Suggestion(photo, number, 0.5, 0.9) for photo in photos])
    assert [states(catalog, photo)[DOG] for photo in photos] == ["accepted", "rejected", "suggested"]
    assert [catalog.tags.of([photo])[photo][0].confidence for photo in photos] == [0.9, 0.9, 0.9]
    catalog.tags.suggest(model, photos, [number], [])
    assert [states(catalog, photo).get(DOG) for photo in photos] == ["accepted", "rejected", None]


def test_suggestions_of_other_tags_and_photos_stay(catalog, model, photos):
    dog, cat = suggest(catalog, model, photos, DOG), suggest(catalog, model, photos, CAT)
    catalog.tags.suggest(model, photos[:1], [dog], [])
    assert states(catalog, photos[0]) == {CAT: "suggested"}
    assert states(catalog, photos[1]) == {CAT: "suggested", DOG: "suggested"}
    assert cat != dog


def test_a_photo_that_is_gone_meanwhile_gets_no_tag(catalog, model, photos):
    catalog.remove(photos[:1])
    suggest(catalog, model, photos, DOG)
    assert catalog.tags.decide([Decision(photos[0], CAT, "accepted"), Decision(photos[1], CAT, "accepted")]) == 1
    assert photos[0] not in catalog.tags.of(photos)


def test_taking_back_leaves_the_suggestion_where_there_was_one(catalog, model, photos):
    number = suggest(catalog, model, photos[:1], DOG)
    catalog.tags.decide([Decision(photo, DOG, "accepted") for photo in photos[:2]])
    assert catalog.tags.undecide(photos, number) == 2
    assert [states(catalog, photo) for photo in photos] == [{DOG: "suggested"}, {}, {}]


def test_an_import_gives_way_to_what_was_decided(catalog, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "rejected")])
    more = [Decision(photo, DOG, "accepted", "lightroom") for photo in photos]
    assert catalog.tags.decide(more, firm=False) == 2
    assert [states(catalog, photo)[DOG] for photo in photos] == ["rejected", "accepted", "accepted"]


def test_another_picture_at_the_path_loses_suggestions_and_keeps_decisions(catalog, root, model, photos):
    suggest(catalog, model, photos[:1], DOG)
    catalog.tags.decide([Decision(photos[0], CAT, "accepted")])
    catalog.store(root.id, [new("a.jpg", "another content")], model, vectors(1, seed=5))
    assert states(catalog, photos[0]) == {CAT: "accepted"}


def test_tags_follow_moves_and_copies(catalog, root, model, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted"), Decision(photos[0], CAT, "rejected")])
    suggest(catalog, model, photos[:1], ANIMAL)
    catalog.move([Move(photos[0], root.id, "x/moved.jpg", 10, 20)])
    content = catalog.photo(photos[0]).content_hash
    [copy] = catalog.store_copies(root.id, [CopiedPhoto("copy.jpg", 10, 20, content, photos[0])])
    assert states(catalog, photos[0]) == {ANIMAL: "suggested", CAT: "rejected", DOG: "accepted"}
    assert states(catalog, copy) == {CAT: "rejected", DOG: "accepted"}


def test_tags_follow_copies_with_other_metadata(catalog, root, model, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted"), Decision(photos[0], CAT, "rejected")])
    suggest(catalog, model, photos[:1], ANIMAL)
    content = catalog.photo(photos[0]).content_hash
    written = [new("copy.jpg", content, title="another"), new("b.jpg", content), new("other.jpg", "other content")]
    copies = catalog.store(root.id, written, model, vectors(3))
    assert [states(catalog, copy) for copy in copies] == [{CAT: "rejected", DOG: "accepted"}, {}, {}]


def test_what_was_taken_back_of_a_copy_stays_so_when_it_failed_for_a_while(catalog, root, model, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted")])
    content = catalog.photo(photos[0]).content_hash
    [copy] = catalog.store(root.id, [new("copy.jpg", content)], model, vectors(1))
    catalog.tags.undecide([copy], catalog.tags.make([DOG])[DOG])
    catalog.fail(root.id, [FailedPhoto("copy.jpg", 1, 1, "half written")])
    assert catalog.store(root.id, [new("copy.jpg", content)], model, vectors(1)) == [copy]
    assert states(catalog, copy) == {}


def test_the_next_of_very_many_copies_asks_as_many_of_them_as_the_first(catalog, root, model, photos, monkeypatch):
    monkeypatch.setattr(suggestion_store, "in_chunks", lambda ids: asked.append(len(ids)) or [ids])
    content, asked = catalog.photo(photos[0]).content_hash, []
    catalog.tags.decide([Decision(photos[0], DOG, "accepted")])
    for part in range(3):
        copies = [new(f"{part}/{number}.jpg", content) for number in range(suggestion_store.ASKED)]
        numbers = catalog.store(root.id, copies, model, vectors(len(copies)))
        assert all(one == {DOG: "accepted"} for one in (states(catalog, number) for number in numbers[:3]))
    assert max(asked) == suggestion_store.ASKED


def test_a_copy_of_several_photos_has_the_later_decision_on_each_tag(catalog, root, model, photos):
    content = catalog.photo(photos[0]).content_hash
    [other] = catalog.store(root.id, [new("other.jpg", content)], model, vectors(1))
    catalog.tags.decide([Decision(other, DOG, "rejected"), Decision(other, CAT, "accepted")])
    catalog.tags.decide([Decision(photos[0], DOG, "accepted"), Decision(photos[0], ANIMAL, "accepted")])
    [copy] = catalog.store(root.id, [new("copy.jpg", content)], model, vectors(1))
    [same] = catalog.store_copies(root.id, [CopiedPhoto("same.jpg", 10, 20, content, photos[0])])
    assert states(catalog, copy) == {DOG: "accepted", CAT: "accepted", ANIMAL: "accepted"} == states(catalog, same)


def test_what_was_taken_back_of_a_copy_stays_so_when_it_is_embedded_again(catalog, root, model, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted")])
    content = catalog.photo(photos[0]).content_hash
    [copy] = catalog.store(root.id, [new("copy.jpg", content)], model, vectors(1))
    catalog.tags.undecide([copy], catalog.tags.make([DOG])[DOG])
    catalog.store(root.id, [new("copy.jpg", content)], catalog.model("other", "f2", DIM).id, vectors(1))
    assert states(catalog, copy) == {}


def test_renaming_takes_along_what_lies_below(catalog, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted"), Decision(photos[1], (*DOG, "poodle"), "accepted")])
    assert catalog.tags.rename(DOG, ("pet", "dog")) == 2
    assert states(catalog, photos[1]) == {("pet", "dog", "poodle"): "accepted"}
    assert catalog.tags.rename(("pet", "dog"), ("Pet", "dog")) == 2  # letters alone
    with pytest.raises(TagError, match="there is no tag animal/dog"):
        catalog.tags.rename(DOG, CAT)
    with pytest.raises(TagError, match="cannot be moved into itself"):
        catalog.tags.rename(("Pet", "dog"), ("Pet", "dog", "dog"))


def test_renaming_onto_another_tag_is_refused_and_changes_nothing(catalog, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted"), Decision(photos[0], CAT, "accepted")])
    with pytest.raises(TagError, match="there is a tag animal/cat already"):
        catalog.tags.rename(DOG, CAT)
    assert set(states(catalog, photos[0])) == {DOG, CAT}


def test_merging_keeps_decisions_before_suggestions(catalog, model, photos):
    suggest(catalog, model, photos, CAT)
    catalog.tags.decide([Decision(photos[0], DOG, "rejected"), Decision(photos[1], CAT, "accepted")])
    suggest(catalog, model, photos[1:], DOG, 0.9)
    catalog.tags.merge(DOG, CAT)
    assert [states(catalog, photo) for photo in photos] == [{CAT: "rejected"}, {CAT: "accepted"}, {CAT: "suggested"}]
    assert DOG not in catalog.tags.paths().values()


@pytest.mark.parametrize(("old", "new_path"), [(DOG, (*DOG, "poodle")), (DOG, DOG)])
def test_a_tag_is_not_merged_into_a_part_of_itself(catalog, photos, old, new_path):
    catalog.tags.decide([Decision(photos[0], (*DOG, "poodle"), "accepted")])
    with pytest.raises(TagError):
        catalog.tags.merge(old, new_path)
    assert states(catalog, photos[0]) == {(*DOG, "poodle"): "accepted"}


def test_a_tag_can_be_merged_into_the_one_above_it(catalog, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted")])
    catalog.tags.merge(DOG, ANIMAL)
    assert states(catalog, photos[0]) == {ANIMAL: "accepted"}


def test_deleting_takes_what_lies_below_and_says_how_many_had_it(catalog, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted"), Decision(photos[1], CAT, "accepted")])
    assert catalog.tags.remove(ANIMAL) == 2
    assert catalog.tags.of(photos) == {}
    with pytest.raises(TagError):
        catalog.tags.remove(ANIMAL)


def test_counts_are_by_state(catalog, model, photos):
    suggest(catalog, model, photos, DOG)
    catalog.tags.decide([Decision(photos[0], DOG, "accepted"), Decision(photos[1], DOG, "rejected")])
    [count] = catalog.tags.counts()
    assert (count.path, count.suggested, count.accepted, count.rejected) == (DOG, 1, 1, 1)


def test_a_filter_by_tag_passes_what_lies_below_and_no_rejected_one(catalog, model, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted"), Decision(photos[1], DOG, "rejected")])
    suggest(catalog, model, photos[2:], CAT)

    def passing(*tags):
        return catalog.allowed_ids(model, PhotoFilter(tags=tags)).tolist()

    assert passing(("Animal",)) == [photos[0], photos[2]]
    assert passing(("DOG",)) == [photos[0]]
    assert passing(DOG) == [photos[0]]
    assert passing(ANIMAL, ("cat",)) == [photos[2]]
    assert passing(("dog",), ("cat",)) == passing(("fish",)) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(("dog",), True), (("ANIMAL", "Dog"), True), (("animal",), True), (("do",), False), (("dog", "animal"), False)],
)
def test_names_in_a_path_are_whole_and_in_order(wanted, found):
    assert bool(tag_filter.matching(wanted, {1: DOG})) == found


def test_edits_stand_by_field_and_give_way_to_nobody_but_a_person(catalog, photos):
    assert (
        catalog.tags.edit([Edit(photos[0], "title", "One", "takeout"), Edit(photos[0], "rating", "4", "takeout")]) == 2
    )
    assert catalog.tags.edit([Edit(photos[0], "title", "Two", "csv")], firm=False) == 0
    assert catalog.tags.edit([Edit(photos[0], "title", "Three", "person")]) == 1
    assert catalog.tags.edits(photos) == {photos[0]: {"title": "Three", "rating": "4"}}


def test_what_was_learned_and_prompt_vectors_are_read_back_exactly(catalog, model):
    number = catalog.tags.make([DOG])[DOG]
    direction = np.arange(DIM, dtype=np.float32) / 3
    catalog.tags.put_fit(model, number, '{"shift": 1}', direction)
    catalog.tags.put_fit(model, number, '{"shift": 2}', direction)
    text, vector = catalog.tags.fits(model)[number]
    assert text == '{"shift": 2}'
    assert np.array_equal(vector, direction)
    catalog.tags.put_prompt_vectors(model, {"k": direction})
    catalog.tags.put_prompt_vectors(model, {"k": direction * 0, "l": direction})
    kept = catalog.tags.prompt_vectors(model, ["k", "l", "m"])
    assert set(kept) == {"k", "l"}
    assert np.array_equal(kept["k"], direction)


def test_the_journal_gives_files_back_byte_for_byte(catalog, photos):
    number = catalog.exports.begin("sidecars")
    before = bytes(range(256)) * 3
    steps = [
        Step(photos[0], "/a.xmp", before, "f" * 64, (DOG,), 0o644, 17),
        Step(photos[1], "/b.xmp", None, "e" * 64, ()),
    ]
    assert catalog.exports.plan(number, steps) == [1, 2]
    catalog.exports.settle(number, [1], "done")
    [step] = catalog.exports.steps(number, "done")
    assert (step.before, step.tags, step.mode, step.mtime_ns) == (before, (DOG,), 0o644, 17)
    assert catalog.exports.written_beside({photos[0]: "/a.xmp", photos[1]: "/b.xmp"}) == {photos[0]: {DOG}}
    assert catalog.exports.written_beside({photos[1]: "/a.xmp"}) == {}
    assert catalog.exports.written_into({photos[0]: ""}) == {}
    assert [(export.id, export.files, export.finished_at) for export in catalog.exports.all()] == [(number, 1, None)]
    assert catalog.exports.exportable() == [photos[0]]


names = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), min_size=1, max_size=4)
tag_paths = st.lists(names, min_size=1, max_size=3).map(tuple)


@settings(max_examples=examples(15))
@given(st.lists(st.tuples(tag_paths, tag_paths), max_size=12))
def test_no_decision_is_lost_by_renaming_and_merging(tmp_path_factory, pairs):
    catalog = Catalog(open_database(tmp_path_factory.mktemp("library")))
    root = catalog.add_root(tmp_path_factory.mktemp("photos"))[0]
    model = catalog.model("tiny", "f1", DIM).id
    ids = catalog.store(root.id, [new(f"{n}.jpg") for n in range(len(pairs))], model, vectors(len(pairs)))
    catalog.tags.decide([Decision(photo, old, "accepted") for photo, (old, _) in zip(ids, pairs, strict=True)])
    for old, target in pairs:
        for change in (catalog.tags.rename, catalog.tags.merge):
            try:
                change(old, target)
            except TagError:
                continue
    assert all([tag.state for tag in catalog.tags.of([photo])[photo]] == ["accepted"] for photo in ids)
    catalog.close()
