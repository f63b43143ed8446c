"""The lists of a saved index, in a file beside it. It is derived: missing, damaged or of other rows, it is none."""

from __future__ import annotations

import io
import logging
import zipfile
import zlib
from pathlib import Path

import numpy as np

from indexer.vectors.near_lists import DEPTHS, NearLists
from indexer.vectors.scanning import Ids
from indexer.vectors.syncing import synced

logger = logging.getLogger(__name__)

FILE = "lists.npz"
_TEMPORARY = "lists.npz.tmp"
_VERSION = 1


def save(folder: Path, stamp: str, ids: Ids, lists: NearLists) -> None:
    """Write the lists of rows with these ids (n,), whole or not at all; a folder that cannot be written does without.

    Args:
        folder: of the index.
        stamp: of what was saved there: the same rows have the same stamp and ids.
        ids: row by row.
        lists: of these rows.
    """
    content = io.BytesIO()
    np.savez(  # each part is under a checksum
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
    )
    try:
        with synced(folder / _TEMPORARY) as write:
            write(content.getbuffer())
        (folder / _TEMPORARY).replace(folder / FILE)
    except OSError as error:
        logger.info("the lists of the search index are not kept: %s", error)
        (folder / _TEMPORARY).unlink(missing_ok=True)


def load(folder: Path, stamp: str, ids: Ids, dim: int) -> NearLists | None:
    """Return the lists of rows with these ids (n,) and dimension, None where there are none that can be used."""
    try:
        with (folder / FILE).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if int(file["version"]) != _VERSION or int(file["rows"]) != _seal(stamp, ids):
                return None
            lists = NearLists(
                np.ascontiguousarray(file["centroids"], np.float32),
                file["starts"],
                tuple(file["probes"].tolist()),
                tuple(file["recall"].tolist()),
                float(file["likeness"]),
                file["strays"],
                file["stray_lists"],
                file["stray_likeness"],
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        logger.info("%s cannot be used and is made again: %s", folder / FILE, error)
        return None
    return lists if _are_sound(lists, len(ids), dim) else None


def _seal(stamp: str, ids: Ids) -> int:
    return zlib.crc32(np.ascontiguousarray(ids, "<i8").view(np.uint8).data, zlib.crc32(stamp.encode()))


def _are_sound(lists: NearLists, rows: int, dim: int) -> bool:
    """Whether every number points to where there is something."""
    count, strays = len(lists.centroids), len(lists.strays)
    return bool(
        lists.centroids.shape == (count, dim)
        and np.isfinite(lists.centroids).all()
        and lists.starts.shape == (count + 1,)
        and lists.starts[0] == 0
        and (np.diff(lists.starts) >= 0).all()
        and lists.starts[-1] <= rows
        and len(lists.probes) == len(lists.recall) == len(DEPTHS)
        and all(0 <= number <= count for number in lists.probes)
        and lists.stray_lists.shape == lists.stray_likeness.shape == (strays,)
        and (not strays or (lists.strays.min() >= 0 and lists.strays.max() < rows))
        and (not strays or (lists.stray_lists.min() >= 0 and lists.stray_lists.max() < count))
    )
