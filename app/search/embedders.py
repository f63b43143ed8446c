"""The embedders of one process, one for each model, told apart by its bytes and not by its name alone; which is chosen.

It embeds nothing. Whether a model may take over the answers is the pipeline's business.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

from indexer.catalog.catalog import Catalog
from indexer.catalog.records import ModelRecord
from indexer.embedder import Chosen, Embedder, kept_model
from indexer.errors import ModelError, OtherModelError

DEFAULT_MODEL = "builtin"
ADVICE = "Run 'picsift index --model NAME' to embed the photos with another model."


class Embedders:
    """Makes each embedder once, and anew when its file holds another model; safe to call from many threads."""

    def __init__(
        self, make: Callable[[str], Embedder], earlier: Callable[[ModelRecord], str | None] = lambda model: None
    ):
        """Make nothing yet.

        Args:
            make: given a model's name or path.
            earlier: where the weights of a library's model are, if its name stands for others by now; None if nowhere.
        """
        self._make, self._earlier = make, earlier
        self._lock = threading.Lock()
        self._known: dict[str, Embedder] = {}

    def named(self, name: str) -> Embedder:
        """The embedder of the model that a name stands for now.

        Raises:
            ModelError: there is none.
        """
        with self._lock:
            known = self._known.get(name)
            if known is not None and known.is_current:
                return known
            return self._keep(self._make(name))

    def of(self, model: ModelRecord) -> Embedder:
        """The embedder of a model that a library was embedded with; one that is in memory outlives its file.

        Raises:
            ModelError: there is none, or what its name stands for is another model by now.
        """
        with self._lock:
            known = self._known.get(model.name)
            if known is not None and known.fingerprint == model.fingerprint:
                return known
            same = next((other for other in self._known.values() if other.fingerprint == model.fingerprint), None)
            if same is not None:
                return same
            try:
                made = self._make(model.name)
            except ModelError as error:
                raise ModelError(
                    f"the library was embedded with the model {model.name!r}, which cannot be used: {error} "
                    f"Put it back where it was. {ADVICE}"
                ) from error
            if made.fingerprint != model.fingerprint:  # what its name stood for in an older picsift, or before a pull
                name = kept_model(model.fingerprint) or self._earlier(model)
                made = made if name is None else self._make(name)
            if made.fingerprint != model.fingerprint:
                raise OtherModelError(
                    f"the model {model.name!r} is not the one the library was embedded with: its fingerprint is "
                    f"{made.fingerprint[:12]}, the library's {model.fingerprint[:12]}. Put the old file back, "
                    f"or run 'picsift index --model {model.name}' to embed the photos again."
                )
            return self._keep(made)

    def find_meanwhile(self, answering: Callable[[], ModelRecord]) -> None:
        """Have a thread find the model that answers, all of whose file has to be read, while the caller imports others.

        What goes wrong is raised to whoever asks for the model, and nobody waits for the thread.
        """
        threading.Thread(target=self._find_quietly, args=(answering,), name="model", daemon=True).start()

    def _find_quietly(self, answering: Callable[[], ModelRecord]) -> None:
        with suppress(Exception):
            self.of(answering())

    def changed(self, model: ModelRecord) -> str | None:
        """What to tell where the name of a library's model stands for other weights by now, and the old ones answer.

        Raises:
            ModelError: as of `of`.
        """
        if self.of(model).name == model.name:
            return None
        return (
            f"the model {model.name!r} has changed since; the one before goes on answering until the photos are "
            f"embedded again. Run: picsift index --model {model.name}"
        )

    def _keep(self, made: Embedder) -> Embedder:
        """The one that is there already where it is the same, by whatever path it was named: it may be loaded."""
        known = self._known.get(made.name)
        if known is not None and known.fingerprint == made.fingerprint:
            return known
        self._known[made.name] = made
        return made


class ModelChoice:
    """Which model runs embed with: the one that was asked for until it answers, from then on whichever answers.

    So a process that runs for months does not turn back what a person switched meanwhile.
    """

    def __init__(self, catalog: Catalog, embedders: Embedders, asked: str | None):
        """Choose for a library; `asked` is a model's name, None where nobody asked for one."""
        self._catalog, self._embedders, self._asked = catalog, embedders, asked

    def __call__(self) -> Chosen:
        """The model of the next run.

        Raises:
            ModelError: it cannot be had, or its file holds another one now.
        """
        active = self._catalog.active_model()
        if self._asked is not None:
            embedder = self._embedders.named(self._asked)
            if active is None or active.fingerprint != embedder.fingerprint:
                return Chosen(embedder, asked=True)
            self._asked = None
        if active is None:
            return Chosen(self._embedders.named(DEFAULT_MODEL), asked=True)
        if active.name == DEFAULT_MODEL:  # whichever comes with picsift: a newer picsift may bring a newer one
            embedder = self._embedders.named(DEFAULT_MODEL)
            return Chosen(embedder, asked=embedder.fingerprint != active.fingerprint)
        return Chosen(self._embedders.of(active), asked=False)
