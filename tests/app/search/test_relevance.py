"""Relevance of tags: what a library is like may move it a little, and never turn it round."""

from dataclasses import replace

import numpy as np
import pytest

from app.search import relevance
from app.tagging.scores import Scorer

PHOTOS, TAGS, DIM = 400, 40, 32
PARENT, CHILDREN = 0, range(1, 11)  # in a hierarchy of the same tags
GROUP = [0, 1, 2]  # in one where these exclude each other
SHOWN = 1.5  # how much of its tag a photo has, against noise of length 1


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def vocabulary():
    """Tags (t, d), which have something in common, as they have in every model."""
    rng = np.random.default_rng(0)
    return unit(unit(rng.normal(size=(TAGS, DIM))) + 0.8 * unit(rng.normal(size=(1, DIM))))


def photos(vocabulary, tags):
    """Embeddings of photos (n, d) that show these tags."""
    rng = np.random.default_rng(1)
    return unit(SHOWN * vocabulary[tags] + unit(rng.normal(size=(len(tags), DIM))))


def scorer(vocabulary, library, own=None, groups=()):
    paths = [(f"tag {n}",) for n in range(TAGS)]
    vectors = vocabulary if own is None else vocabulary[own]
    paths = paths if own is None else [paths[n] for n in own]
    return Scorer(paths, vectors, vocabulary, relevance.statistics(library), {}, groups)


def hierarchy(above=("parent",)):
    """Paths of the tags where one, or a level that is no tag, has ten of them below it."""
    return [above if n == PARENT else (*above, f"tag {n}") if n in CHILDREN else (f"tag {n}",) for n in range(TAGS)]


def against(vocabulary, library, paths, vectors, background_paths):
    """Scores tags against a background that has names."""
    lie = relevance.statistics(library)
    return Scorer(paths, vectors, vocabulary, lie, {}, [], background_paths=background_paths)


def turned(vector, cosine):
    """A vector that has this cosine with another one."""
    other = np.random.default_rng(2).normal(size=DIM)
    other -= vector * (other @ vector)
    return unit((cosine * vector + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other))[None])


def test_a_library_of_one_photo_is_tagged_like_a_large_one(vocabulary):
    shown = np.arange(PHOTOS) % TAGS
    library = photos(vocabulary, shown)
    large = scorer(vocabulary, library).confidences(library)[1]
    alone = np.concatenate([scorer(vocabulary, one).confidences(one)[1] for one in np.split(library[:TAGS], TAGS)])
    assert (large.argmax(axis=1) == shown).mean() > 0.95
    assert (alone.argmax(axis=1) == shown[:TAGS]).mean() > 0.95
    surest = np.arange(TAGS), shown[:TAGS]
    assert np.median(abs(alone[surest] - large[surest])) < 0.1


def test_what_all_photos_of_a_library_show_is_suggested_for_them(vocabulary):
    shown = np.where(np.arange(PHOTOS) % 20 > 0, 0, np.arange(PHOTOS) % TAGS)
    library = photos(vocabulary, shown)
    made = scorer(vocabulary, library)
    kept = made.chosen(made.confidences(library)[1])
    assert kept[shown == 0, 0].mean() > 0.9


def test_the_confidence_of_a_word_does_not_hang_on_the_other_words_of_its_vocabulary(vocabulary):
    library = photos(vocabulary, np.arange(PHOTOS) % TAGS)
    own = [3, 11, 29]
    few, all_ = (scorer(vocabulary, library, words).confidences(library)[1] for words in (own, None))
    assert np.allclose(few, all_[:, own], atol=1e-4)


def test_where_nothing_is_left_for_the_rest_the_odds_stay_within_bounds(vocabulary):
    own = np.full((2, 1), 5.0, dtype=np.float32)
    odds = relevance.log_odds(own, np.array([[0.0], [-1e-6]], dtype=np.float32), own)
    assert np.allclose(odds, relevance.log_odds(own, own * relevance.LEAST_REST, own))
    assert 5 < odds[0, 0] < 20


@pytest.mark.parametrize(("name", "cosine"), [("Párent", 0.75), ("PARENT", 0.99), ("something else", 0.99)])
def test_an_own_word_like_a_built_in_parent_has_no_rivals_in_its_children(vocabulary, name, cosine):
    library, paths = photos(vocabulary, np.arange(PHOTOS) % TAGS), hierarchy()
    whole = Scorer(paths, vocabulary, vocabulary, relevance.statistics(library), {}, [])
    wanted = whole.confidences(library)[1][:, PARENT] >= relevance.DEFAULT_THRESHOLD
    assert wanted.sum() > 80
    vectors = turned(vocabulary[PARENT], cosine)
    own = against(vocabulary, library, [(name,)], vectors, paths).confidences(library)[1][:, 0]
    assert ((own >= relevance.DEFAULT_THRESHOLD) == wanted).mean() > 0.97


def test_an_own_word_like_a_built_in_level_has_no_rivals_below_it(vocabulary):
    library, paths = photos(vocabulary, np.arange(PHOTOS) % TAGS), hierarchy(("level",))
    paths[PARENT] = ("tag 0",)  # the level itself is no tag
    own = against(vocabulary, library, [("level",)], vocabulary[[PARENT]], paths).confidences(library)[1][:, 0]
    shown = np.isin(np.arange(PHOTOS) % TAGS, CHILDREN)
    assert (own[shown] >= relevance.DEFAULT_THRESHOLD).mean() > 0.9
    assert (own[~shown] >= relevance.DEFAULT_THRESHOLD).mean() < 0.1


def test_the_built_in_words_beside_others_are_judged_as_they_are_alone(vocabulary):
    library, paths = photos(vocabulary, np.arange(PHOTOS) % TAGS), hierarchy()
    paths[12] = ("elsewhere", "tag 3")  # a mouse is an animal, or lies on a desk
    alone = Scorer(paths, vocabulary, vocabulary, relevance.statistics(library), {}, []).confidences(library)[1]
    more = np.concatenate([vocabulary, unit(np.random.default_rng(3).normal(size=(1, DIM)))])
    beside = against(vocabulary, library, [*paths, ("more",)], more, paths).confidences(library)[1]
    assert np.allclose(beside[:, :TAGS], alone, atol=1e-4)


def test_a_parent_with_an_own_child_counts_what_the_background_has_below_it_once(vocabulary):
    library, paths = photos(vocabulary, np.arange(PHOTOS) % TAGS), hierarchy()
    alone = Scorer(paths, vocabulary, vocabulary, relevance.statistics(library), {}, []).log_odds(library)[1]
    few = [PARENT, 1]
    own = against(vocabulary, library, [paths[n] for n in few], vocabulary[few], paths).log_odds(library)[1]
    assert np.allclose(own, alone[:, few], atol=1e-3)


@pytest.mark.parametrize(("name", "cosine"), [("Tág 1", 0.8), ("something else", 0.99)])
def test_an_own_word_like_one_of_a_built_in_group_is_judged_by_that_group(vocabulary, monkeypatch, name, cosine):
    library, paths = photos(vocabulary, np.arange(PHOTOS) % TAGS), hierarchy()
    lie = relevance.statistics(library)
    whole = Scorer(paths, vocabulary, vocabulary, lie, {}, [GROUP])
    wanted = whole.chosen(whole.confidences(library)[1])[:, 1]
    vectors = np.concatenate([turned(vocabulary[1], cosine), vocabulary[[20]]])
    own = Scorer([(name,), ("tag 20",)], vectors, vocabulary, lie, {}, [], 0.3, paths, [GROUP])
    said = own.confidences(library)[1]
    assert 60 < wanted.sum() < 340
    assert (own.chosen(said)[:, 0] == wanted).mean() > 0.85
    odds = relevance.probability(own.zero_shot(library)[1][:, 0])
    assert np.allclose(said[said[:, 0] > 0, 0], odds[said[:, 0] > 0], atol=1e-5)
    asked, standings = [], relevance.standings
    monkeypatch.setattr(relevance, "standings", lambda *rest: asked.append(rest) or standings(*rest))
    own.confidences(library)
    assert len(asked) == 1, "once for a batch, not again for what the confidence is cut by"
    unlike = Scorer([("tag 20",)], vectors[1:], vocabulary, lie, {}, [], 0.3, paths, [GROUP])
    assert np.allclose(said[:, 1], unlike.confidences(library)[1][:, 0], atol=1e-5)


def test_an_own_group_comes_before_that_of_the_built_in_word(vocabulary):
    library, paths = photos(vocabulary, np.arange(PHOTOS) % TAGS), hierarchy()
    lie, own = relevance.statistics(library), [1, 20]
    whole = Scorer([paths[n] for n in own], vocabulary[own], vocabulary, lie, {}, [[0, 1]], 0.3, paths, [GROUP])
    plain = replace(whole, background_groups=())
    assert np.allclose(whole.confidences(library)[1], plain.confidences(library)[1])


LIBRARIES = {
    "one photo": lambda all_: all_[:1],
    "two": lambda all_: all_[:2],
    "identical ones": lambda all_: np.repeat(all_[:1], 400, axis=0),
    "identical ones and another": lambda all_: np.concatenate([np.repeat(all_[:1], 400, axis=0), all_[1:2]]),
    "very many, and another": lambda all_: np.concatenate([np.repeat(all_[:1], 20_000, axis=0), all_[1:2]]),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_group_is_judged_in_an_odd_library_as_in_a_full_one(vocabulary, library):
    shown = np.random.default_rng(5).permutation(np.arange(PHOTOS) % TAGS)
    all_ = photos(vocabulary, shown)
    full = scorer(vocabulary, all_, groups=[GROUP]).confidences(all_)[1][:, GROUP] >= relevance.GROUP_THRESHOLD
    asked = np.flatnonzero(shown < 6)  # some of which show what the group is about
    assert 0.4 < full[asked].any(axis=1).mean() < 1
    agree = []
    for photo in asked:
        odd = LIBRARIES[library](np.roll(all_, -photo, axis=0))
        made = scorer(vocabulary, odd, groups=[GROUP])
        said = made.confidences(odd[[0, -1]])[1]
        assert np.isfinite(said).all()
        agree += [(said[0, GROUP] >= relevance.GROUP_THRESHOLD) == full[photo]]
        assert np.isfinite(made.zero_shot(odd[[0, -1]])[1]).all()
    assert np.mean(agree) > 0.9


@pytest.mark.filterwarnings("error")
def test_shares_are_shares_however_far_below_all_photos_a_photo_is():
    standing = np.array([[-3000, -3100], [4000, 3990], [-50, -50]], dtype=np.float32)
    assert np.allclose(relevance.shares(standing), [[1, 0], [1, 0], [0.5, 0.5]], atol=1e-4)
    assert np.isfinite(relevance.group_log_odds(standing)).all()


@pytest.mark.filterwarnings("error")
def test_the_odds_are_those_of_the_heights_however_low_all_of_them_are():
    heights = np.array([[-9.0, -10.0, -11.0], [5.0, 4.0, 3.0]], dtype=np.float32)
    mass = relevance.masses(heights, heights.max(axis=1, keepdims=True))
    whole = mass.sum(axis=1, keepdims=True)
    odds = relevance.log_odds(mass, whole - mass, whole)
    assert np.allclose(odds[0], odds[1], atol=1e-4)
