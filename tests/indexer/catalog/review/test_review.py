"""The review queue in the catalog: orders that decisions do not disturb, and words that are weighed and never lost."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database
from indexer.catalog.records import FailedPhoto
from indexer.catalog.review.records import WORDS, Asked, Queue, Settled
from indexer.catalog.tag_records import Decision, Suggestion
from tests.fuzzing import examples
from tests.indexer.catalog_samples import DIM, new, vectors

DOG, CAT, ANIMAL, SEA = ("animal", "dog"), ("animal", "cat"), ("animal",), ("sea",)
CONFIDENCES = {DOG: (0.9, 0.52, 0.31, 0.7), CAT: (0.6, 0.45), SEA: (0.5, 0.99, 0.35)}


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    yield catalog
    catalog.close()


@pytest.fixture
def model(catalog):
    return catalog.model("tiny", "f1", DIM).id


@pytest.fixture
def photos(catalog, tmp_path, model):
    """Four photos, the nth of which each tag of CONFIDENCES is suggested for as it says."""
    root, _ = catalog.add_root(tmp_path / "photos")
    numbers = catalog.store(root.id, [new(f"{name}.jpg") for name in "abcd"], model, vectors(4))
    tags = catalog.tags.make(CONFIDENCES)
    found = [
        Suggestion(photo, tags[path], 0.25, sure)
        for path, all_sure in CONFIDENCES.items()
        for photo, sure in zip(numbers, all_sure, strict=False)
    ]
    catalog.tags.suggest(model, numbers, list(tags.values()), found)
    return numbers


def listed(catalog, order, under=None, *, since=None, step=100, between=lambda seen: None):
    """Everything of a queue, a page after another; `between` is called with what was seen so far."""
    queue, after, seen = Queue(order, under, since or datetime.now(UTC)), None, []
    while True:
        page, _ = catalog.tags.pending(queue, after, step)
        if not page:
            return seen
        seen += [(one.path, one.confidence) for one in page]
        after = page[-1].key
        between(page)


def test_the_most_uncertain_come_first(catalog, photos):
    sure = [confidence for _, confidence in listed(catalog, "uncertain")]
    assert sure == sorted(sure, key=lambda one: round(abs(one - 0.5), 4))
    assert len(sure) == 9


def test_the_tag_with_most_suggestions_comes_first_and_of_it_the_surest(catalog, photos):
    assert listed(catalog, "frequent") == [
        *((DOG, sure) for sure in (0.9, 0.7, 0.52, 0.31)),
        *((SEA, sure) for sure in (0.99, 0.5, 0.35)),
        *((CAT, sure) for sure in (0.6, 0.45)),
    ]


def test_a_tag_means_what_lies_under_it_and_nothing_beside_it(catalog, photos, model):
    odd = catalog.tags.make([("animal!",), ("animals", "x")])
    catalog.tags.suggest(model, photos, list(odd.values()), [Suggestion(photos[0], n, 0.2, 0.5) for n in odd.values()])
    assert {path for path, _ in listed(catalog, "uncertain", ANIMAL)} == {DOG, CAT}
    assert {path for path, _ in listed(catalog, "frequent", SEA)} == {SEA}
    assert catalog.tags.pending(Queue("uncertain", ANIMAL, datetime.now(UTC)), None, 1)[1] == 6


@pytest.mark.parametrize("order", ["uncertain", "frequent"])
@pytest.mark.parametrize("step", [1, 2, 4])
def test_no_suggestion_is_passed_over_or_asked_twice_while_decisions_are_made(catalog, photos, order, step):
    whole = listed(catalog, order)

    def decide(page):
        catalog.tags.settle([Asked(one.photo_id, one.path, "accept") for one in page])

    assert listed(catalog, order, step=step, between=decide) == whole
    assert listed(catalog, order) == []


def test_who_begins_anew_meets_the_tag_with_most_left(catalog, photos):
    catalog.tags.settle([Asked(photo, DOG, "reject") for photo in photos[:3]])
    assert next(iter(listed(catalog, "frequent")))[0] == SEA


def test_photos_that_are_not_there_are_not_asked_about(catalog, photos):
    catalog.mark_missing(photos[:1], datetime.now(UTC))
    assert {confidence for path, confidence in listed(catalog, "frequent") if path == DOG} == {0.52, 0.31, 0.7}
    assert catalog.tags.pending(Queue("uncertain", DOG, datetime.now(UTC)), None, 100)[1] == 3


def test_photos_that_failed_are_not_asked_about(catalog, photos, tmp_path):
    root, _ = catalog.add_root(tmp_path / "photos")
    catalog.fail(root.id, [FailedPhoto("a.jpg", 1, 1, "it is broken")])
    queue = Queue("uncertain", None, datetime.now(UTC))
    asked, left = catalog.tags.pending(queue, None, 100)
    assert (len(asked), photos[0] in {one.photo_id for one in asked}) == (left, False)


def word_on(photo, path, word, of="accept"):
    return Asked(photo, path, word, of if word == "undo" else None)


def state(catalog, photo, path):
    return {tag.path: tag.state for tag in catalog.tags.of([photo]).get(photo, ())}.get(path)


def test_a_word_is_weighed_against_what_holds(catalog, photos):
    photo = photos[0]
    told = catalog.tags.settle(
        [
            Asked(photo, DOG, "accept"),
            Asked(photo, DOG, "accept"),
            Asked(photo, DOG, "reject"),
            Asked(photo, DOG, "undo", "reject"),
            Asked(photo, DOG, "undo", "accept"),
            Asked(photo, DOG, "undo", "accept"),
            Asked(photo, CAT, "reject"),
            Asked(999, DOG, "accept"),
            Asked(photo, ("nobody's",), "accept"),
        ]
    )
    assert told == [
        Settled("done", "accepted"),
        Settled("unchanged", "accepted"),
        Settled("kept", "accepted"),
        Settled("kept", "accepted"),
        Settled("done", "suggested"),
        Settled("unchanged", "suggested"),
        Settled("done", "rejected"),
        Settled("gone", None),
        Settled("gone", None),
    ]
    assert (state(catalog, photo, DOG), state(catalog, photo, CAT)) == ("suggested", "rejected")
    assert ("nobody's",) not in catalog.tags.paths().values()


def test_what_was_imported_is_not_taken_back_and_not_decided_otherwise(catalog, photos):
    catalog.tags.decide([Decision(photos[0], DOG, "accepted", "sidecar")])
    told = catalog.tags.settle([word_on(photos[0], DOG, word) for word in ("undo", "reject", "accept")])
    assert told == [Settled("kept", "accepted"), Settled("kept", "accepted"), Settled("unchanged", "accepted")]
    assert catalog.tags.of(photos[:1])[photos[0]][1].origin == "sidecar"


def test_a_word_on_a_suggestion_that_a_run_took_away_counts_all_the_same(catalog, photos):
    catalog.tags.clear_suggestions()
    assert catalog.tags.settle([Asked(photos[0], DOG, "reject")]) == [Settled("done", "rejected")]
    assert state(catalog, photos[0], DOG) == "rejected"
    assert catalog.tags.settle([Asked(photos[0], DOG, "undo", "reject")]) == [Settled("done", None)]
    assert state(catalog, photos[0], DOG) is None


def test_words_are_taken_in_all_or_none(catalog, photos, monkeypatch):
    from indexer.catalog.stores import tag_store

    def fail(*_):
        raise RuntimeError("in the middle")

    catalog.tags.settle([Asked(photos[1], DOG, "accept")])
    monkeypatch.setattr(tag_store, "undecide", fail)
    with pytest.raises(RuntimeError):
        catalog.tags.settle([Asked(photos[0], DOG, "accept"), word_on(photos[1], DOG, "undo")])
    assert [state(catalog, photo, DOG) for photo in photos[:2]] == ["suggested", "accepted"]


words = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([DOG, CAT]), st.sampled_from(WORDS)), max_size=8)


@given(words, st.integers(0, 8))
@settings(max_examples=examples(20))
def test_words_in_one_request_come_to_what_they_come_to_one_by_one(tmp_path_factory, said, cut):
    """Each time on two photos of their own, of a library that three such times share."""
    folder = tmp_path_factory.mktemp("review")
    catalog = Catalog(open_database(folder / "library"))
    model = catalog.model("tiny", "f1", DIM).id
    root, _ = catalog.add_root(folder / "photos")
    tags = catalog.tags.make([DOG, CAT])

    def run(name, *batches):
        photos = catalog.store(root.id, [new(f"{name} a.jpg"), new(f"{name} b.jpg")], model, vectors(2))
        dogs = [Suggestion(photo, tags[DOG], 0.2, 0.6) for photo in photos]
        catalog.tags.suggest(model, photos, list(tags.values()), dogs)
        told = [
            (one.became, one.state)
            for batch in batches
            for one in catalog.tags.settle([word_on(photos[at], path, word) for at, path, word in batch])
        ]
        return told, [state(catalog, photo, path) for photo in photos for path in (DOG, CAT)]

    try:
        assert run("all", said) == run("two", said[:cut], said[cut:]) == run("one", *[[one] for one in said])
    finally:
        catalog.close()
