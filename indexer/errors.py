"""The exception tree. A message says what went wrong, with which value, and what to do next.

PicsiftError
├── LibraryError            the library folder cannot be used: permission, full disk, not a library
│   ├── NewerLibraryError   written by a newer picsift than this one
│   ├── LibraryLockedError  another process is writing to it
│   └── WordIndexError      the index of words is damaged, or this SQLite has none; all else is well
├── RootError               a folder that was asked for cannot be indexed
├── ModelError              an unknown model, or one that cannot be loaded
│   └── OtherModelError     the library's model, or what lies in its file, is another one than before
├── ImageError              one picture that cannot be read; its message is the photo's reason
│   ├── UnreadableError     the system does not give its file, or it changed: nothing is known of its content
│   ├── TooLargeError       it needs more pixels or memory than the settings allow
│   └── DecoderLostError    the process that decoded it crashed, or took too long
├── DecoderStartError       no process that decodes can be started
├── QueryError              a search that cannot be understood
├── TagError                a tag that is not there, or cannot be what it is asked to be
└── FaissMissingError       neither faiss-cpu nor faiss-gpu is installed

app adds some next to what raises them: SettingsError, EmptyLibraryError, ServerError, and PartError, a QueryError
about a part of what was typed.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class PicsiftError(Exception):
    """What a person did or met that picsift explains in one sentence."""


class LibraryError(PicsiftError):
    """The library folder cannot be used."""


class NewerLibraryError(LibraryError):
    """The library was written by a newer version of picsift."""


class LibraryLockedError(LibraryError):
    """Another process writes to the library."""


class WordIndexError(LibraryError):
    """Photos cannot be found by their words: the index is damaged, or this SQLite cannot have one."""


def is_shortage(error: BaseException | None) -> bool:
    """Whether the system has no more files, memory or processes to give: nothing is known of what was asked for."""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


def raise_shortage(error: BaseException) -> None:
    """Raise the shortage that an error is, or comes from, if it does."""
    for one in (error, error.__cause__):
        if one is not None and is_shortage(one):
            raise one


class RootError(PicsiftError):
    """A folder that was asked for cannot be indexed."""


class ModelError(PicsiftError):
    """The model is unknown or cannot be loaded."""


class OtherModelError(ModelError):
    """The model that answers, or what lies in its file, is not what it was: nothing may be embedded with it."""


@contextmanager
def as_model_error() -> Iterator[None]:
    """Have what clip_model raises be a ModelError of one sentence."""
    try:
        yield
    except (ValueError, OSError, ImportError, MemoryError) as error:
        raise ModelError(str(error).rstrip(".") + ".") from error


class ImageError(PicsiftError):
    """One picture cannot be read; the message is the reason kept with the photo."""


class UnreadableError(ImageError):
    """The system does not give the file, or it changed while it was read: what is in it cannot be told."""


class TooLargeError(ImageError):
    """The picture needs more pixels or memory than the settings allow."""


class DecoderLostError(ImageError):
    """The process that decoded the picture ended. `temporary` says that the picture may not be what ended it."""

    def __init__(self, reason: str, *, temporary: bool = False) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.temporary = temporary


class DecoderStartError(PicsiftError):
    """No process that decodes can be started."""

    def __init__(self, reason: str) -> None:
        """Say what to look at."""
        super().__init__(
            f"no process that decodes photos could be started: {reason}. If picsift or Python was upgraded meanwhile, "
            "start it again; else check the memory and the number of processes that this account may have."
        )


class QueryError(PicsiftError):
    """A search cannot be understood."""


class TagError(PicsiftError):
    """A tag is not there, or cannot become what is asked for."""


class FaissMissingError(PicsiftError):
    """No FAISS is installed."""

    def __init__(self) -> None:
        """Name the two extras that bring one."""
        super().__init__(
            "no FAISS is installed. Install one: pip install 'picsift[cpu]', "
            "or pip install 'picsift[gpu]' on a machine with an NVIDIA GPU."
        )
