"""TaggingService: suggests tags for the photos of a library from their stored embeddings, and learns from decisions.

No photo is opened. How a score becomes a confidence is `scores.py`'s; what a person decided is never written over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.search import relevance
from app.search.live_index import LiveIndex
from app.tagging import last_run, tag_fits
from app.tagging.last_run import LastRun
from app.tagging.learning import Fit
from app.tagging.scores import Scorer
from app.tagging.tag_fits import learn_all
from app.tagging.tag_vectors import tag_vectors
from app.tagging.vocabulary.changes import changed
from app.tagging.vocabulary.vocabulary import Vocabulary, load_vocabulary
from indexer.catalog.frame_ids import FIRST_FRAME
from indexer.catalog.records import ModelRecord
from indexer.catalog.tag_records import Suggestion, TagPath
from indexer.embedder import Embedder
from indexer.library import Library

VOCABULARY = "vocabulary"  # a setting of the library: the file that it is tagged with, "" for the built-in one
THRESHOLD = "tag threshold"  # the same: the least confidence of a suggestion
AUTOMATIC = "tag new photos"  # the same: "1" where runs of the indexer are followed by tagging what is new
SAMPLE = 20_000  # as many photos, or somewhat more, the statistics are taken from
BATCH = 4096

Floats = NDArray[np.float32]
Told = Callable[[int, int], None]  # how much is done, of how much


@dataclass(frozen=True)
class TaggingReport:
    """What a run of tagging did.

    Attributes:
        model: whose opinion it is.
        vocabulary: the words' name.
        tags: how many they are.
        photos: that were looked at, by their stored vectors.
        suggestions: that stand now for those.
        learned: tags whose decisions count, each with its fit.
        seconds: of wall time.
        complete: False where the run was stopped before its end.
        changed: words of the vocabulary that are renamed, merged or deleted.
    """

    model: str
    vocabulary: str
    tags: int
    photos: int
    suggestions: int
    learned: dict[TagPath, Fit]
    seconds: float
    complete: bool = True
    changed: int = 0


class TaggingService:
    """Tags one library with its active model."""

    def __init__(self, library: Library, live: LiveIndex, embedder_for: Callable[[ModelRecord], Embedder]):
        """Open nothing yet; `embedder_for` is asked when words have to be embedded that never were."""
        self._library = library
        self._live = live
        self._embedder_for = embedder_for

    def vocabulary(self) -> Vocabulary:
        """The words that the library is tagged with, as a person renamed, merged and deleted them.

        Raises:
            VocabularyError: their file is gone, or holds what cannot be used, or all are deleted.
        """
        named = self._library.catalog.setting(VOCABULARY)
        return changed(load_vocabulary(Path(named) if named else None), self._library.catalog.tags.changes())

    def use(self, vocabulary: Path | None) -> Vocabulary:
        """Tag with the words of this file, or the built-in ones, from now on. VocabularyError where that cannot be."""
        words = load_vocabulary(vocabulary)
        self._library.catalog.set_setting(VOCABULARY, str(vocabulary.absolute()) if vocabulary else "")
        return words

    @property
    def automatic(self) -> bool:
        """Whether new photos are tagged as they are indexed."""
        return self._library.catalog.setting(AUTOMATIC) == "1"

    @automatic.setter
    def automatic(self, wanted: bool) -> None:
        self._library.catalog.set_setting(AUTOMATIC, str(int(wanted)))

    def run(
        self,
        *,
        only_new: bool = False,
        threshold: float | None = None,
        on_progress: Told = lambda done, total: None,
        on_words: Told = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> TaggingReport:
        """Suggest tags for every photo, or for those that changed since the last run with the same words and model.

        Args:
            only_new: leave what was tagged already, unless words, model or threshold are others now, or photos or
                decisions have doubled since all were judged.
            threshold: the least confidence of a suggestion, 0 to 1, from now on; None is what it was.
            on_progress: told how many photos of how many are done.
            on_words: told how many words of how many are embedded, where they were never.
            stop: asked several times a second; what is done by then is kept.

        Raises:
            EmptyLibraryError: nothing is indexed.
            LibraryLockedError: another process writes to the library.
            ModelError: the model cannot be loaded.
            VocabularyError: the words cannot be used.
        """
        with self._library.writer_lock():  # not while an indexer stores and removes what is tagged here
            return self._run(only_new, threshold, on_progress, on_words, stop)

    def _run(
        self, only_new: bool, threshold: float | None, on_progress: Told, on_words: Told, stop: Callable[[], bool]
    ) -> TaggingReport:
        begun, catalog = time.monotonic(), self._library.catalog
        model, words = self._live.model(), self.vocabulary()
        if threshold is not None:
            catalog.set_setting(THRESHOLD, str(threshold))
        least = float(catalog.setting(THRESHOLD) or relevance.DEFAULT_THRESHOLD)
        generation, last = catalog.generation(model.id), LastRun.of(catalog, last_run.digest_of(words, model, least))
        since = last.generation if only_new else 0
        if since != generation and (since == 0 or last.outgrown(catalog, model)):
            since, last = 0, last.of_all(catalog, model)
        # Before it learns: a tag that is deleted or merged meanwhile is not made anew.
        tag_ids = {} if since == generation else catalog.tags.make([tag.path for tag in words.tags])
        known = tag_ids or {path: number for number, path in catalog.tags.paths().items()}
        catalog.tags.call(_other_names(words, known))  # in every run: no other part of it hangs on them
        scorer = None if since == generation else self._scorer(model, words, least, on_words, stop)
        photos = suggestions = 0
        if scorer is not None:
            numbers = np.array([tag_ids[tag.path] for tag in words.tags])
            implied = self._implied(scorer.paths)
            total = catalog.embedding_count(model.id) if since == 0 else 0
            for ids, embeddings in self._photos(model, since):
                if stop():
                    break
                suggestions += self._suggest(scorer, model, numbers, ids, embeddings, implied)
                photos += len(ids)
                on_progress(photos, total)
            else:
                last.keep(catalog, generation)
        learned = {scorer.paths[place]: fit for place, (fit, _) in scorer.learned.items()} if scorer else {}
        done = (len(words.tags), photos, suggestions, learned, round(time.monotonic() - begun, 3))
        return TaggingReport(model.name, words.name, *done, not stop(), words.changed)

    def run_if_automatic(self, stop: Callable[[], bool] = lambda: False) -> TaggingReport | None:
        """Tag what is new where that is switched on; for after a run of the indexer."""
        wanted = self.automatic and self._library.catalog.active_model() is not None
        return self.run(only_new=True, stop=stop) if wanted else None

    def classify(self, path: TagPath, wanted: bool) -> None:
        """Let a tag's classifier answer where it is better, or never, from the next run on, over all photos."""
        tag_fits.classify(self._library.catalog, self._live.model(), path, wanted)
        last_run.forget(self._library.catalog)

    def fits(self) -> dict[TagPath, Fit]:
        """What was learned of tags under the active model."""
        return tag_fits.fits(self._library.catalog, self._live.model())

    def _scorer(
        self, model: ModelRecord, words: Vocabulary, threshold: float, told: Told, stop: Callable[[], bool]
    ) -> Scorer | None:
        tags, embedder = self._library.catalog.tags, lambda: self._embedder_for(model)
        vectors = tag_vectors(words.tags, model, tags, embedder, stop, told)
        builtin = load_vocabulary()
        known = None if builtin.tags == words.tags else [tag.path for tag in builtin.tags]
        background = tag_vectors(builtin.tags, model, tags, embedder, stop, told) if known else vectors
        if vectors is None or background is None or not len((found := self._sample(model))[0]):
            return None
        paths, lie = [tag.path for tag in words.tags], relevance.statistics(found[1])
        scorer = Scorer(paths, vectors, background, lie, {}, words.groups, threshold, known, builtin.groups)
        return replace(scorer, learned=learn_all(scorer, self._library.catalog, model, found))

    def _sample(self, model: ModelRecord) -> tuple[NDArray[np.int64], Floats]:
        """Ids (n,) and embeddings (n, d) of photos, spread over the library."""
        ids, vectors = self._library.catalog.embedding_sample(model.id, SAMPLE)
        return ids, vectors.astype(np.float32)

    def _photos(self, model: ModelRecord, since: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
        """Ids (n,) and embeddings (n, d) written after a generation; a video counts by its poster."""
        for ids, vectors in self._library.catalog.embeddings(model.id, since=since, batch_size=BATCH):
            photos = ids < FIRST_FRAME
            if photos.any():
                yield ids[photos], vectors[photos]

    def _implied(self, paths: Sequence[TagPath]) -> dict[int, list[int]]:
        """For each photo with accepted tags the places of those above them."""
        catalog = self._library.catalog.tags
        known, place = catalog.paths(), {path: number for number, path in enumerate(paths)}
        above = {
            number: [place[path[:k]] for k in range(1, len(path)) if path[:k] in place]
            for number, path in known.items()
        }
        return {photo: [one for tag in tags for one in above[tag]] for photo, tags in catalog.accepted().items()}

    def _suggest(
        self,
        scorer: Scorer,
        model: ModelRecord,
        numbers: NDArray[np.int64],
        ids: NDArray[np.int64],
        vectors: NDArray[np.float16],
        implied: Mapping[int, list[int]],
    ) -> int:
        cosines, confidence = scorer.confidences(vectors.astype(np.float32))
        kept = scorer.chosen(confidence)
        for row, photo in enumerate(ids.tolist()):  # what an accepted tag implies is not suggested beside it
            if photo in implied:
                kept[row, implied[photo]] = False
        rows, places = np.nonzero(kept)
        found = map(
            Suggestion,
            ids[rows].tolist(),
            numbers[places].tolist(),
            cosines[rows, places].round(5).tolist(),
            confidence[rows, places].round(4).tolist(),
        )
        tags = self._library.catalog.tags  # all of them, since what no vocabulary names any more is suggested no more
        tags.suggest(model.id, ids.tolist(), list(tags.paths()), list(found))
        return len(rows)


def _other_names(words: Vocabulary, tag_ids: Mapping[TagPath, int]) -> dict[str, list[int]]:
    """Synonyms, and labels in other languages, with the ids of the tags that they mean, of those that there are."""
    found: dict[str, list[int]] = {}
    for tag in (tag for tag in words.tags if tag.path in tag_ids):
        for name in (*tag.synonyms, *tag.labels.values()):
            found.setdefault(name, []).append(tag_ids[tag.path])
    return found
