"""The lists of a saved index, in a file beside it. It is derived: missing, damaged or of other rows, it is none."""

from __future__ import annotations

import io
import logging
import zlib
from pathlib import Path

import numpy as np

from indexer.vectors.near_lists import DEPTHS, NearLists
from indexer.vectors.scanning import Ids
from indexer.vectors.syncing import synced

logger = logging.getLogger(__name__)

FILE = "lists.npz"
_TEMPORARY = "lists.npz.tmp"
_VERSION = 2
_SEAL_BYTES = 4  # at the end, over all before them: the archive's own checksums cover no directory


def save(folder: Path, stamp: str, ids: Ids, lists: NearLists) -> None:
    """Write the lists of rows with these ids (n,), whole or not at all; a folder that cannot be written does without.

    Args:
        folder: of the index.
        stamp: of what was saved there: the same rows have the same stamp and ids.
        ids: row by row.
        lists: of these rows.
    """
    content = io.BytesIO()
    np.savez(
        content,
        version=_VERSION,
        rows=_seal(stamp, ids),
        probes=lists.probes,
        recall=lists.recall,
        likeness=lists.likeness,
        centroids=lists.centroids,
        starts=lists.starts,
        strays=lists.strays,
        stray_lists=lists.stray_lists,
        stray_likeness=lists.stray_likeness,
        trained=lists.trained,
    )
    try:
        with synced(folder / _TEMPORARY) as write:
            write(content.getbuffer())
            write(zlib.crc32(content.getbuffer()).to_bytes(_SEAL_BYTES, "little"))
        (folder / _TEMPORARY).replace(folder / FILE)
    except OSError as error:
        logger.info("the lists of the search index are not kept: %s", error)
        (folder / _TEMPORARY).unlink(missing_ok=True)


def load(folder: Path, stamp: str, ids: Ids, dim: int) -> NearLists | None:
    """Return the lists of rows with these ids (n,) and dimension, None where there are none that can be used."""
    try:
        content = (folder / FILE).read_bytes()
        whole, seal = content[:-_SEAL_BYTES], content[-_SEAL_BYTES:]
        if zlib.crc32(whole).to_bytes(_SEAL_BYTES, "little") != seal:
            raise ValueError("its checksum differs")
        with np.load(io.BytesIO(whole), allow_pickle=False) as file:
            if int(file["version"]) != _VERSION or int(file["rows"]) != _seal(stamp, ids):
                return None
            lists = NearLists(
                file["centroids"],
                file["starts"],
                tuple(file["probes"].tolist()),
                tuple(file["recall"].tolist()),
                float(file["likeness"]),
                file["strays"],
                file["stray_lists"],
                file["stray_likeness"],
                int(file["trained"]),
            )
        return lists if _are_sound(lists, len(ids), dim) else None
    except FileNotFoundError:
        return None
    except Exception as error:  # what a reader of archives may raise is not written down, and lists are never needed
        logger.info("%s cannot be used and is made again: %s", folder / FILE, error)
        return None


def _seal(stamp: str, ids: Ids) -> int:
    return zlib.crc32(np.ascontiguousarray(ids, "<i8").view(np.uint8).data, zlib.crc32(stamp.encode()))


def _are_sound(lists: NearLists, rows: int, dim: int) -> bool:
    """Whether every number points to where there is something, and each row is in a list or a stray."""
    count, strays, starts = len(lists.centroids), lists.strays, lists.starts
    whole = (starts, strays, lists.stray_lists)
    return bool(
        all(part.dtype == np.int64 and part.ndim == 1 for part in whole)
        and lists.centroids.dtype == lists.stray_likeness.dtype == np.float32
        and lists.centroids.shape == (count, dim)
        and np.isfinite(lists.centroids).all()
        and starts.shape == (count + 1,)
        and starts[0] == 0
        and (np.diff(starts) >= 0).all()
        and starts[-1] <= min(rows, lists.trained)
        and len(lists.probes) == len(lists.recall) == len(DEPTHS)
        and all(isinstance(number, int) and 0 <= number <= count for number in lists.probes)
        and np.isfinite([*lists.recall, lists.likeness]).all()
        and lists.stray_lists.shape == lists.stray_likeness.shape == strays.shape
        and np.isfinite(lists.stray_likeness).all()
        and (np.diff(strays) > 0).all()
        and (strays[:1] >= 0).all()
        and np.array_equal(strays[np.searchsorted(strays, starts[-1]) :], np.arange(starts[-1], rows))
        and ((lists.stray_lists >= 0) & (lists.stray_lists < count)).all()
    )
