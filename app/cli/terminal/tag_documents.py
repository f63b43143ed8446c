"""Tags as JSON documents and as lines for a terminal. Pure; the commands print them."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.tag_path import path_text
from app.tagging.learning import Fit
from app.tagging.review import ReviewPage
from app.tagging.tagging_service import TaggingReport
from indexer.catalog.tag_records import PhotoTag, TagCounts

Document = dict[str, Any]


def counted(count: TagCounts, fit: Fit | None) -> Document:
    """One tag of `picsift tags list --json`."""
    return {
        "tag": path_text(count.path),
        "accepted": count.accepted,
        "suggested": count.suggested,
        "rejected": count.rejected,
        "learned": None if fit is None else asdict(fit),
    }


def tagged(file: Path, tags: Sequence[PhotoTag]) -> Document:
    """One photo of `picsift tags show --json`."""
    return {"path": str(file), "tags": [tag_document(tag) for tag in tags]}


def tag_document(tag: PhotoTag) -> Document:
    """One tag on one photo."""
    return {
        "tag": path_text(tag.path),
        "state": tag.state,
        "origin": tag.origin,
        "model": tag.model,
        "score": tag.score,
        "confidence": tag.confidence,
        "changed_at": tag.changed_at.isoformat(timespec="seconds"),
    }


def to_review(page: ReviewPage) -> Document:
    """What `picsift tags review --json` prints."""
    asked = [
        {"path": str(photo.path), "tag": path_text(one.path), "confidence": one.confidence, "score": one.score}
        for one, photo in page.items
    ]
    return {"left": page.left, "suggestions": asked}


def report(done: TaggingReport) -> Document:
    """What `picsift tag --json` prints."""
    learned = {path_text(path): asdict(fit) for path, fit in done.learned.items()}
    return {**asdict(done), "learned": learned}


def line(count: TagCounts, fit: Fit | None) -> str:
    """One tag of `picsift tags list`: its counts, its path, and what decides it where that is a classifier."""
    numbers = f"{count.accepted:>7,} accepted {count.suggested:>7,} suggested {count.rejected:>7,} rejected"
    return f"{numbers}  {path_text(count.path)}{'  (classifier)' if fit and fit.classifier else ''}"


def learned(fit: Fit) -> str:
    """What a fit is worth, in a sentence without its end."""
    counts = f"{fit.accepted:,} accepted and {fit.rejected:,} rejected"
    if fit.scaled_right is None or fit.classifier_right is None:
        return f"its scale from {counts}; a classifier needs ten decisions, three of each kind"
    right = f"{fit.classifier_right:.0%} right against {fit.scaled_right:.0%} by words, cross-validated on {counts}"
    if fit.classifier:
        return f"a classifier answers, {right}"
    return f"the words answer still ({'the classifier is no better' if fit.wanted else 'switched off'}: {right})"
