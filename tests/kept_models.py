"""Models that stay loaded between tests: nearly every run of the suite embeds with the same random one.

Loading it takes as long as embedding a handful of pictures. It is the product's model, loaded by the product; whether
the file still is what it was is asked by those who load it, and still is.
"""

import copy
import threading
from pathlib import Path

from clip_model import inference


class KeptModels:
    """Stands in for `load_encoder`."""

    def __init__(self):
        self._load = inference.load_encoder
        self._lock = threading.Lock()
        self._loaded = {}

    def install(self, monkeypatch):
        """For one test."""
        monkeypatch.setattr(inference, "load_encoder", self.load)

    def load(self, path, **how):
        """The model of the file as it is, loaded the first time; what its owner changes of it is the owner's alone."""
        try:
            at = Path(path).stat()
        except OSError:
            return self._load(path, **how)
        key = (str(path), at.st_dev, at.st_ino, at.st_mtime_ns, at.st_ctime_ns, at.st_size, *sorted(how.items()))
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = self._load(path, **how)
            return copy.copy(self._loaded[key])
