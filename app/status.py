"""What is in the library, on which device, in what health. It reads, loads no model, and prints nothing."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app import activities
from app.bootstrap import Services
from indexer.catalog.records import ModelRecord, Root
from indexer.counted import counted
from indexer.errors import ModelError
from indexer.watching.activity import Activity, read_activity

LISTED_FAILURES = 100


@dataclass(frozen=True)
class ModelStatus:
    """The model that answers searches; before the first indexing, the one that would."""

    name: str
    dim: int
    fingerprint: str


@dataclass(frozen=True)
class IndexStatus:
    """The vector index: how it stores, how much, and where.

    Attributes:
        kind: "flat-fp16", where a search looks at all vectors, or "ivf-fp16", where at those of the nearest lists.
        vectors: how many.
        device: where they are searched.
        bytes: of main memory.
        lists: how many there are; 0 where a search looks at all vectors.
        probes: how many of them a search looks into, for up to `DEPTHS[0]` hits; 0: into all.
        recall: the share of the exact hits that these held when it was measured on the library.
    """

    kind: str
    vectors: int
    device: str
    bytes: int
    lists: int = 0
    probes: int = 0
    recall: float = 1.0


@dataclass(frozen=True)
class Status:
    """One reading of the library.

    Attributes:
        photos: photos that can be found.
        failed: files that could not be read.
        missing: photos whose file was not there at the last look (an unplugged drive, say).
        roots: the folders that the library follows.
        model: None when the model that would be used cannot be.
        device: what the model runs on, or would.
        precision: in which precision.
        index: the vector index of that model.
        library: the library's folder.
        failures: path and reason of the failed, at most LISTED_FAILURES.
        problems: a sentence for each thing to look after.
        activity: what a process that works on the library is doing; None where there is none.
    """

    photos: int
    failed: int
    missing: int
    roots: list[Root]
    model: ModelStatus | None
    device: str
    precision: str
    index: IndexStatus
    library: Path
    failures: list[tuple[Path, str]]
    problems: list[str]
    activity: Activity | None = None


def read_status(services: Services) -> Status:
    """Read the library's state as it is now."""
    catalog = services.library.catalog
    counts = catalog.counts()
    roots = catalog.roots()
    active = catalog.active_model()
    problems = [f"{root.path}: {root.problem}" for root in roots if root.problem]
    model, device, precision = _model(services, active, problems)
    if active is not None and (reasons := list(catalog.embedding_failures(active.id).values())):
        problems.append(
            f"{counted(len(reasons), 'photo')} could not be embedded by the model {active.name!r}, and every run tries "
            f"again; the last because: {reasons[0].rstrip('.')}"
        )
    return Status(
        photos=counts.photos,
        failed=counts.failed,
        missing=counts.missing,
        roots=roots,
        model=model,
        device=device,
        precision=precision,
        index=_index(services, active, problems),
        library=services.library.folder,
        failures=[(photo.path, photo.reason or "unknown") for photo in catalog.failures(LISTED_FAILURES)],
        problems=problems,
        activity=read_activity(services.library.folder),
    )


def document(status: Status) -> dict[str, Any]:
    """A reading as plain values for JSON."""
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
            "lists": status.index.lists,
            "probes": status.index.probes,
            "recall": status.index.recall,
        },
        "library": str(status.library),
        "activity": activities.document(status.activity) if status.activity else None,
    }


def _model(services: Services, active: ModelRecord | None, problems: list[str]) -> tuple[ModelStatus | None, str, str]:
    """The library's model, device and precision; what is wrong with it is added to `problems`."""
    recorded = None if active is None else ModelStatus(active.name, active.dim, active.fingerprint)
    try:
        embedder = services.embedder if active is None else services.embedders.of(active)
        device, precision = embedder.plan()
    except ModelError as error:
        problems.append(str(error))
        return recorded, services.settings.device, services.settings.precision
    if active is not None and (changed := services.embedders.changed(active)):
        problems.append(changed)
    return recorded or ModelStatus(embedder.name, embedder.dim, embedder.fingerprint), device, precision


def _index(services: Services, active: ModelRecord | None, problems: list[str]) -> IndexStatus:
    if active is None:
        problems.append("nothing is indexed yet; run: picsift index FOLDER")
        return IndexStatus(kind="flat-fp16", vectors=0, device="cpu", bytes=0)
    index = services.search.live.index(active)
    status = IndexStatus(kind=index.kind, vectors=len(index), device=index.device, bytes=index.nbytes)
    if (lists := index.lists) is None:
        return status
    return replace(status, lists=len(lists.centroids), probes=lists.probes[0], recall=lists.recall[0])
