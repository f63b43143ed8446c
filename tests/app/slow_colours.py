"""A `prepare` that tests hold up: it runs in decoding processes, which import this module in no time."""

import time
from dataclasses import dataclass
from pathlib import Path

from tests.app.mean_colour import mean_colour


@dataclass(frozen=True)
class Held:
    """Says in `folder` that it has begun, and goes on when there is a file `go`."""

    folder: Path

    def __call__(self, image):
        (self.folder / f"begun-{time.monotonic_ns()}").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.01)
        return mean_colour(image)

    def begun(self):
        """How many decodes have begun."""
        return len(list(self.folder.glob("begun-*")))

    def let_go(self):
        """Have all of them end."""
        (self.folder / "go").touch()
