"""The JSON documents of the command line, as plain dicts. Pure; `app/output.py` prints them.

Paths are text in which bytes that are no UTF-8 stand as lone surrogates, so that `os.fsencode` gives them back.
"""

from collections.abc import Sequence
from typing import Any

from app.activities import document as activity_document
from app.doctor import Check
from app.search import Hit, SearchResult
from app.status import Status
from indexer.pipeline import SyncReport

Document = dict[str, Any]


def search_document(result: SearchResult) -> Document:
    """What `picsift search --json` and `picsift similar --json` print."""
    return {
        "query": result.query,
        "model": result.model,
        "total": result.total,
        "took_ms": round(result.took_ms, 1),
        "hits": [_hit(hit) for hit in result.hits],
    }


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


def status_document(status: Status) -> Document:
    """What `picsift status --json` prints."""
    model = status.model
    return {
        "photos": status.photos,
        "failed": status.failed,
        "missing": status.missing,
        "roots": [
            {
                "path": str(root.path),
                "photos": root.photos,
                "last_scan_at": root.last_scan_at.isoformat() if root.last_scan_at else None,
                "problem": root.problem,
            }
            for root in status.roots
        ],
        "model": {"name": model.name, "dim": model.dim, "fingerprint": model.fingerprint} if model else None,
        "device": status.device,
        "precision": status.precision,
        "index": {
            "kind": status.index.kind,
            "vectors": status.index.vectors,
            "device": status.index.device,
            "bytes": status.index.bytes,
        },
        "library": str(status.library),
        "activity": activity_document(status.activity) if status.activity else None,
    }


def checks_document(checks: Sequence[Check]) -> list[Document]:
    """What `picsift doctor --json` prints."""
    return [{"check": check.name, "ok": check.ok, "detail": check.detail} for check in checks]


def _hit(hit: Hit) -> Document:
    photo = hit.photo
    return {
        "path": str(photo.path),
        "score": round(hit.score, 6),
        "relevance": hit.relevance,
        "taken_at": photo.taken_at.isoformat() if photo.taken_at else None,
        "width": photo.width,
        "height": photo.height,
        "duration_s": photo.duration_s,
        "moment_s": hit.moment_s,
        "companions": [str(path) for path in photo.companions],
        "reachable": photo.missing_since is None,
    }
