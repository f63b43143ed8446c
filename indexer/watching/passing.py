"""Which trouble passes by itself: a busy library, a full disk, too little memory, too many files. Pure."""

from __future__ import annotations

from indexer.errors import DecoderStartError, LibraryError, ModelError, NewerLibraryError, OtherModelError, is_shortage

_SHORT_OF = ("memory", "new thread")  # what torch and Python say of both in a RuntimeError


def passes(error: BaseException, *, has_worked: bool) -> bool:
    """Whether what a run met may be over after a pause.

    Args:
        error: what it raised.
        has_worked: whether a run has succeeded before, with whatever was there then; a model that cannot be used from
            the start is a person's to see to.
    """
    if isinstance(error, NewerLibraryError):
        return False
    if isinstance(error, LibraryError | DecoderStartError | OtherModelError | OSError | MemoryError | ImportError):
        return True
    if isinstance(error, ModelError):
        return has_worked or is_short_of(error.__cause__)
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SHORT_OF)


def is_short_of(error: BaseException | None) -> bool:
    """Whether memory, files or processes ran out."""
    return is_shortage(error) or isinstance(error, MemoryError | ImportError)
