"""The JSON documents of the command line, as plain dicts. Pure; `app/cli/terminal/output.py` prints them.

Paths are text in which bytes that are no UTF-8 stand as lone surrogates, so that `os.fsencode` gives them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.doctor import Check
    from app.search.search_service import Hit, SearchResult
    from indexer.pipeline import SyncReport

Document = dict[str, Any]


def search_document(result: SearchResult) -> Document:
    """What `picsift search --json` and `picsift similar --json` print."""
    return result.document(_hit)


def report_document(report: SyncReport) -> Document:
    """What `picsift index --json` prints."""
    return {
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "failed": report.failed,
        "seconds": round(report.seconds, 3),
        "failures": [{"path": str(path), "reason": reason} for path, reason in report.failures],
    }


def checks_document(checks: Sequence[Check]) -> list[Document]:
    """What `picsift doctor --json` prints."""
    return [{"check": check.name, "ok": check.ok, "detail": check.detail} for check in checks]


def _hit(hit: Hit) -> Document:
    photo = hit.photo
    return {
        "path": str(photo.path),
        "score": None if hit.score is None else round(hit.score, 6),
        "relevance": hit.relevance,
        "found_by": list(hit.found_by),
        "taken_at": photo.taken_at.isoformat() if photo.taken_at else None,
        "width": photo.width,
        "height": photo.height,
        "duration_s": photo.duration_s,
        "moment_s": hit.moment_s,
        "companions": [str(path) for path in photo.companions],
        "reachable": photo.missing_since is None,
        "copies": [str(copy.path) for copy in hit.copies],
    }
