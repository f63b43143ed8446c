"""What works on this machine and what does not: each check tries the real thing and says what it found.

It changes nothing: no library is made, no setting written. An essential check that fails is why picsift cannot work.
"""

import importlib.metadata
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from app.bootstrap import Services, build_services
from app.built_in import limits_of
from app.samples import BLUE, FORMATS, RED, sample, sample_video
from app.search.embedders import DEFAULT_MODEL
from app.settings import Settings, config_path
from app.status import read_status
from indexer.catalog.records import ModelRecord
from indexer.counted import counted
from indexer.embedder import Embedder, int8_problem
from indexer.errors import ImageError, ModelError, PicsiftError
from indexer.pictures import images
from indexer.pictures.video_frames import open_video
from indexer.vectors.index import VectorIndex

ESSENTIAL_FORMATS = frozenset({"JPEG", "PNG"})
WANTED_FREE = 1_000_000_000  # bytes
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
INOTIFY = Path("/proc/sys/fs/inotify")
WANTED_WATCHES = 65_536  # one for each folder that `picsift watch` follows


@dataclass(frozen=True)
class Check:
    """One thing tried: its name, whether it works, what was found, and whether picsift can do without it."""

    name: str
    ok: bool
    detail: str
    essential: bool = False


def examine(settings: Settings) -> Iterator[Check]:
    """Every check, one after the other; the slow ones (loading the model) among them."""
    yield Check("python", True, f"{sys.version.split()[0]}, picsift {importlib.metadata.version('picsift')}")
    path = config_path()
    yield Check("settings", True, f"{path}" if path.exists() else f"none set; they would stand in {path}")
    yield _tried("torch", lambda: _torch(), essential=True)
    yield _tried("gpu", lambda: _gpu(settings.device))
    yield _tried("model", lambda: _model(settings), essential=True)
    yield _tried("faiss", lambda: _faiss(settings.device), essential=True)
    for name in FORMATS:
        yield _tried(f"format {name}", lambda name=name: _format(name), essential=name in ESSENTIAL_FORMATS)  # type: ignore[misc]
    yield _tried("format video", _video)
    yield _tried("file events", _file_events)
    yield _tried("disk space", lambda: _disk_space(settings.library))
    yield _tried("library", lambda: _library(settings), essential=True)


def _tried(name: str, attempt: Callable[[], tuple[bool, str]], *, essential: bool = False) -> Check:
    """Run one check. Whatever it raises is its finding: a doctor that falls over helps nobody."""
    try:
        ok, detail = attempt()
    except (PicsiftError, ImportError, OSError, RuntimeError, ValueError) as error:
        ok, detail = False, f"{error}" or type(error).__name__
    return Check(name, ok, " ".join(detail.split()), essential)


def _torch() -> tuple[bool, str]:
    import torch

    total = float(torch.ones(64, 64).matmul(torch.ones(64, 64)).sum())
    return total == 64.0**3, f"torch {torch.__version__}, {torch.get_num_threads()} threads"


def _gpu(wanted: str) -> tuple[bool, str]:
    """Whether a GPU that is there can be used; a machine without one is in order."""
    import torch

    if not torch.cuda.is_available():
        if NVIDIA_DRIVER.exists():
            return False, (
                f"an NVIDIA driver is there, but torch {torch.__version__} cannot use it. "
                "Install a torch built for CUDA, see pytorch.org."
            )
        return not wanted.startswith("cuda"), "none found; the CPU is used"
    total = float(torch.ones(64, 64, device="cuda").matmul(torch.ones(64, 64, device="cuda")).sum())
    free, size = torch.cuda.mem_get_info()
    found = f"{torch.cuda.get_device_name()}, {free / 2**30:.1f} of {size / 2**30:.1f} GiB free"
    return total == 64.0**3, found


def _model(settings: Settings) -> tuple[bool, str]:
    """Load the model and embed a picture and a text."""
    embedder = Embedder(
        settings.model or DEFAULT_MODEL,
        device=settings.device,
        precision=settings.precision,
        converted=settings.converted_models,
    )
    started = time.perf_counter()
    device, precision = embedder.device, embedder.precision
    loaded = time.perf_counter()
    picture = images.decode(sample("PNG"), min_side=embedder.image_size).image
    norms = np.linalg.norm(np.vstack([embedder.embed_images([picture]), embedder.embed_texts(["red"])]), axis=1)
    took_ms = (time.perf_counter() - loaded) * 1000
    found = (
        f"{embedder.name}, {embedder.dim} dimensions, {precision} on {device}; "
        f"loaded in {loaded - started:.1f} s, a picture and a text in {took_ms:.0f} ms"
    )
    if (limits := limits_of(embedder.name)) is not None:
        found = f"{found}; {limits}"
    elif device == "cpu" and settings.precision != "int8":
        found = f"{found}; vision transformers can run in int8 (docs/models.md says how fast): {_int8()}"
    if settings.precision == "int8" != precision:
        found = f"{found}; int8 is set, and this model or device is not fit for it (docs/models.md says which are)"
    return bool(np.allclose(norms, 1, atol=1e-3)), found


def _int8() -> str:
    return int8_problem() or "the setting precision chooses it"


def _faiss(device: str) -> tuple[bool, str]:
    """Search a small index on the device that searches would use."""
    dim = 64
    vectors = np.eye(dim, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        index = VectorIndex.open(Path(folder), dim=dim, fingerprint="doctor", device=device)
        index.add(np.arange(dim), vectors)
        found = [int(ids[0]) for ids, _ in index.search(vectors, 1)]
    import faiss

    gpus = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    without = " (built without GPU support)" if NVIDIA_DRIVER.exists() and not gpus else ""
    return found == list(range(dim)), f"faiss {faiss.__version__}, searches on {index.device}{without}"


def _format(name: str) -> tuple[bool, str]:
    """Decode a tiny picture and look at its colours."""
    try:
        return _coloured(images.decode(sample(name), min_side=1).image)
    except (ImageError, OSError) as error:
        return False, f"cannot be read: {error}"


def _video() -> tuple[bool, str]:
    """Decode the frame of a tiny video."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.mp4"
        path.write_bytes(sample_video())
        with open_video(path) as video:
            return _coloured(next(video.frames()).picture)


def _coloured(image: Image.Image) -> tuple[bool, str]:
    """Whether a sample has come out in its colours."""
    pixels = np.asarray(image)
    left, right = pixels[8, image.width // 4].tolist(), pixels[8, image.width * 3 // 4].tolist()
    right_colours = np.allclose(left, RED, atol=24) and np.allclose(right, BLUE, atol=24)
    return bool(right_colours), "is read" if right_colours else f"is read in wrong colours: {left} and {right}"


def _file_events() -> tuple[bool, str]:
    """How many folders the system lets one person watch."""
    if not INOTIFY.is_dir():
        return True, "this system has no inotify limits"
    watches = int((INOTIFY / "max_user_watches").read_text())
    if watches < WANTED_WATCHES:
        return False, (
            f"at most {counted(watches, 'folder')} can be watched. For more: "
            f"sudo sysctl fs.inotify.max_user_watches={WANTED_WATCHES}"
        )
    return True, f"up to {counted(watches, 'folder')} can be watched"


def _disk_space(library: Path) -> tuple[bool, str]:
    there = next(folder for folder in (library, *library.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < WANTED_FREE:
        return False, f"{free / 1e9:.2f} GB free at {there}; make room, a library of 100,000 photos takes a few GB"
    return True, f"{free / 1e9:.1f} GB free at {there}"


def _library(settings: Settings) -> tuple[bool, str]:
    if not settings.library.exists():
        return True, f"none yet at {settings.library}; 'picsift index FOLDER' makes one"
    if not os.access(settings.library, os.W_OK):
        return False, f"{settings.library} cannot be written to; change its permissions, or name another with --library"
    services = build_services(settings)
    status, active = read_status(services), services.library.catalog.active_model()
    found = f"{counted(status.photos, 'photo')}, {counted(status.index.vectors, 'vector')}, {status.failed:,} failed"
    found = f"{found} at {status.library}"
    return not set(status.problems) - _no_faults(services, active), "; ".join([found, *status.problems])


def _no_faults(services: Services, active: ModelRecord | None) -> set[str]:
    """What status tells as a problem, while searches are answered as before."""
    with suppress(ModelError):
        return {services.embedders.changed(active) or ""} if active is not None else set()
    return set()
