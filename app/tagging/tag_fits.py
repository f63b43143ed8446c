"""What decisions taught of each tag of a library: fitted, kept in its catalog, shown, and switched off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.tagging.learning import Fit, Undecided, learn
from app.tagging.scores import Learned, Scorer
from indexer.catalog.catalog import Catalog
from indexer.catalog.records import ModelRecord
from indexer.catalog.tag_records import TagPath

MOST_UNDECIDED = 250  # photos that stand for all those that nobody decided for


def learn_all(
    scorer: Scorer,
    catalog: Catalog,
    model: ModelRecord,
    sample: tuple[NDArray[np.int64], NDArray[np.float32]],
) -> dict[int, Learned]:
    """Fit every tag that was decided for on some photo, and keep what comes out; gives it by the tag's place.

    Args:
        scorer: that has learned nothing yet.
        catalog: of the library.
        model: whose embeddings count.
        sample: ids (s,) and embeddings (s, d) of photos, spread over the library.
    """
    decided = {count.path: count.id for count in catalog.tags.counts() if count.accepted or count.rejected}
    known, found = catalog.tags.fits(model.id), dict[int, Learned]()
    if not decided.keys() & set(scorer.paths):
        return found
    step = -(-len(sample[0]) // MOST_UNDECIDED)
    others, around = sample[0][::step], sample[1][::step]
    odds_around = scorer.zero_shot(around)[1].astype(np.float64)
    centred = (around - scorer.lie.mean).astype(np.float64)
    for place, path in enumerate(scorer.paths):
        if path not in decided:
            continue
        number = decided[path]
        said = catalog.tags.decided(number)
        photos, vectors = catalog.embeddings_of(list(said), model.id)
        if not len(photos):
            continue
        x = vectors.astype(np.float32)
        odds = scorer.zero_shot(x)[1][:, place].astype(np.float64)
        wanted = Fit.of(known[number][0]).wanted if number in known else True
        accepted = np.array([said[photo] for photo in photos.tolist()])
        open_ = ~np.isin(others, list(said))
        rest = Undecided(odds_around[open_, place], centred[open_])
        fit, direction = learn(odds, (x - scorer.lie.mean).astype(np.float64), accepted, rest, wanted=wanted)
        catalog.tags.put_fit(model.id, number, fit.text(), direction)
        found[place] = (fit, direction)
    return found


def classify(catalog: Catalog, model: ModelRecord, path: TagPath, wanted: bool) -> None:
    """Let a tag's classifier answer where it is better, or never, from the next run on."""
    number = catalog.tags.make([path])[path]
    known = catalog.tags.fits(model.id).get(number)
    fit = Fit.of(known[0]) if known else Fit()
    catalog.tags.put_fit(model.id, number, replace(fit, wanted=wanted, classifier=False).text(), None)


def fits(catalog: Catalog, model: ModelRecord) -> dict[TagPath, Fit]:
    """What was learned of tags under a model."""
    paths = catalog.tags.paths()
    return {paths[number]: Fit.of(text) for number, (text, _) in catalog.tags.fits(model.id).items()}
