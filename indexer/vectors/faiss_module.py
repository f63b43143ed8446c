"""Imports FAISS when it is first used, says what is wrong where that fails, and lets its threads rest."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from indexer.errors import FaissMissingError, PicsiftError

_WAITING = "OMP_WAIT_POLICY"


@functools.cache
def load_faiss() -> Any:
    """Import FAISS at its first use and not before.

    Raises:
        FaissMissingError: if none is installed.
        PicsiftError: if the one installed cannot be loaded (for instance for want of a CUDA library).
    """
    try:
        # SWIG's types raise DeprecationWarnings from Python 3.12 on.
        with _patient_threads(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import faiss
    except ModuleNotFoundError as error:
        if error.name == "faiss":
            raise FaissMissingError from error
        raise _broken(error) from error
    except ImportError as error:
        raise _broken(error) from error
    return faiss


@contextmanager
def _patient_threads() -> Iterator[None]:
    """Have FAISS's threads sleep between two searches.

    OpenMP reads this once, as it is loaded. By default a thread that is done burns its core for another 10 ms, in case
    that there is more to do: in a server, whose searches take 1 ms, that core is somebody else's. Where torch came
    first its OpenMP is FAISS's too, and has read it already: that is why searches take one thread of it alone.
    """
    if _WAITING in os.environ:
        yield
        return
    os.environ[_WAITING] = "passive"
    try:
        yield
    finally:
        os.environ.pop(_WAITING, None)


def _broken(error: ImportError) -> PicsiftError:
    return PicsiftError(
        f"FAISS is installed and cannot be loaded: {error}. Reinstall it: 'picsift[cpu]' or 'picsift[gpu]'."
    )
