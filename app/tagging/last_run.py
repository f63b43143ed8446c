"""What the last run of tagging knew: up to where it looked, and of how many photos and decisions it judged them all.

A run over what is new leaves the other confidences as they are. What those hang on changes slowly, so that all photos
are judged anew each time the library, or what was decided of it, has doubled: these together cost as much as two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from json import dumps, loads
from typing import Self

from app.tagging.scores import numbers
from app.tagging.tag_vectors import key_of
from app.tagging.vocabulary.vocabulary import Vocabulary
from indexer.catalog.catalog import Catalog
from indexer.catalog.records import ModelRecord

TAGGED = "tagged"  # a setting of the library: the last run, as JSON
LARGER = 2  # as many times the photos, or the decisions, as when all were judged, and they are judged anew
LEAST_DECISIONS = 10  # more of them, in any case: with so many on one tag there may be a classifier


@dataclass(frozen=True)
class LastRun:
    """A run that came to its end.

    Attributes:
        digest: of words, model, threshold and constants.
        generation: of the embeddings up to which photos were looked at.
        photos: embeddings that there were when all were judged for the last time.
        decisions: of people that there were then.
    """

    digest: str
    generation: int = 0
    photos: int = 0
    decisions: int = 0

    @classmethod
    def of(cls, catalog: Catalog, digest: str) -> Self:
        """The last one with this digest; of another one, or none, it looked at nothing."""
        kept = loads(catalog.setting(TAGGED) or "{}")
        if kept.get("digest") != digest:
            return cls(digest)
        return cls(digest, int(kept["generation"]), int(kept.get("photos", 0)), int(kept.get("decisions", 0)))

    def outgrown(self, catalog: Catalog, model: ModelRecord) -> bool:
        """Whether all photos are to be judged anew, since so many, or so many decisions, have come."""
        decisions = max(LARGER * self.decisions, self.decisions + LEAST_DECISIONS)
        return catalog.embedding_count(model.id) >= LARGER * self.photos or catalog.tags.decision_count() >= decisions

    def of_all(self, catalog: Catalog, model: ModelRecord) -> Self:
        """The beginning of a run that judges all photos, as many as there are now."""
        photos, decisions = catalog.embedding_count(model.id), catalog.tags.decision_count()
        return replace(self, generation=0, photos=photos, decisions=decisions)

    def keep(self, catalog: Catalog, generation: int) -> None:
        """Write down that it looked at everything up to a generation."""
        kept = {"digest": self.digest, "generation": generation, "photos": self.photos, "decisions": self.decisions}
        catalog.set_setting(TAGGED, dumps(kept))


def forget(catalog: Catalog) -> None:
    """Have the next run look at all photos, whatever the last one did."""
    catalog.set_setting(TAGGED, "")


def digest_of(words: Vocabulary, model: ModelRecord, threshold: float) -> str:
    """What a run depends on beside the photos."""
    tags = [[*tag.path, key_of(tag.prompts)] for tag in words.tags]
    said: Sequence[object] = [numbers(), model.fingerprint, threshold, tags, sorted(words.exclusive)]
    return hashlib.sha256(dumps(said).encode()).hexdigest()
