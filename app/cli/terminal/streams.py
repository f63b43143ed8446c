"""The standard streams of a command: what they do with names that are no text, and where nobody reads them any more."""

import codecs
import io
import os
import sys


def prepare_streams() -> None:
    """Let file names print that are no valid text in the terminal's encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape" if _is_utf8(stream.encoding) else "backslashreplace")


def prints_as_it_is(text: str, encoding: str | None) -> bool:
    """Whether such a stream, once prepared, takes every character of a name, rather than a backslash and its number."""
    named = encoding or "utf-8"
    try:
        text.encode(named, "surrogateescape" if _is_utf8(named) else "strict")
    except UnicodeEncodeError:
        return False
    return True


def be_quiet() -> None:
    """The reader of our output (`| head`) has enough; let Python's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write(out: str, err: str) -> None:
    """Print what a command says that has run elsewhere, as the command itself would."""
    prepare_streams()
    try:
        if out:  # nothing, once written, is something to flush: a full disk would be told of
            sys.stdout.write(out)
        if err:
            sys.stderr.write(err)
        sys.stdout.flush()
    except BrokenPipeError:
        be_quiet()
        raise SystemExit(0) from None
    except OSError as error:
        from app.cli.terminal.exits import reported

        reported(_raise)(error)


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def _raise(error: OSError) -> None:
    raise error
