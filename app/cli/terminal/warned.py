"""Whether the log has warned of anything: a command prints that on standard error, a server for nobody who asks it."""

import logging

# Whose warnings are of the library's state: they are said once in a process, and hold on.
OF_THE_LIBRARY = ("app.search", "indexer.catalog", "indexer.vectors.repair")


class _Counting(logging.Handler):
    """Counts warnings of all threads."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.all = self.of_the_library = 0

    def emit(self, record: logging.LogRecord) -> None:
        """One more; logging holds the handler's lock."""
        self.all += 1
        self.of_the_library += record.name.startswith(OF_THE_LIBRARY)


_COUNTING = _Counting()  # one in a process, however many ask it


class Warned:
    """What has been warned of since it was made."""

    def __init__(self) -> None:
        """Listen from now on."""
        self.told()
        self._then = _COUNTING.of_the_library

    def told(self) -> int:
        """A number that grows with each warning; it listens on, whoever has set up the log anew."""
        logging.getLogger().addHandler(_COUNTING)
        return _COUNTING.all

    def lasting(self) -> bool:
        """Whether one was of the library, which a new process might repeat."""
        return _COUNTING.of_the_library > self._then
