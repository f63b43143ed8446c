"""How a command ends: every expected error becomes a sentence on standard error and an exit status.

0 done, 1 could not do it, 2 wrong usage, 130 interrupted. Errors that nobody foresaw keep their traceback.
"""

import functools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn, ParamSpec

from typer.core import TyperGroup

from app.cli.terminal.interrupts import interrupt
from app.cli.terminal.output import say, say_error
from app.cli.terminal.streams import be_quiet
from app.printable import printable, safe_lines
from indexer.errors import PicsiftError

FAILED, USAGE, INTERRUPTED = 1, 2, 130

P = ParamSpec("P")


def reported(command: Callable[P, None]) -> Callable[P, None]:
    """Run a command and turn what it raises into a sentence and an exit status."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with cleanup_on_sigterm():
                command(*args, **kwargs)
            sys.stdout.flush()  # a reader that is gone is noticed here, not while Python shuts down
        except BrokenPipeError:
            be_quiet()
        except PicsiftError as error:
            say_error(error)
            raise SystemExit(FAILED) from None
        except OSError as error:
            _end(_os_sentence(error), FAILED)
        except KeyboardInterrupt:
            _end("interrupted.", INTERRUPTED)

    return run


class SafeUsage(TyperGroup):
    """Commands whose errors of usage quote what was typed as `say` does."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """As ever, with a safe message where it raises."""
        with _quoting_safely():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Likewise."""
        with _quoting_safely():
            return super().invoke(ctx)


@contextmanager
def _quoting_safely() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        message = getattr(error, "message", None)
        if hasattr(error, "format_message") and isinstance(message, str):  # an error of the parser's
            error.message = printable(message)  # type: ignore[attr-defined]
        raise


def show_unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of an error that nobody foresaw; names in it steer no terminal."""
    sys.stderr.write(safe_lines("".join(traceback.format_exception(kind, error, trace))))


def leave(status: int) -> NoReturn:
    """End at once, with everything saved, while a thread still imports or loads what nobody needs any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def usage(message: str) -> NoReturn:
    """End a command that was called in a wrong way."""
    _end(message, USAGE)


@contextmanager
def stop_on_signal(*, quiet: bool = False) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets, for work that ends at its next safe point.

    A second one interrupts at once. Outside the main thread signals stay as they are. `quiet` says nothing of it.
    """
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            interrupt(number, frame)
            return
        stop.set()
        if not quiet:
            _say_from_a_handler("stopping; what is under way is being saved.")

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def cleanup_on_sigterm() -> Iterator[None]:
    """Make SIGTERM unwind the stack like Ctrl-C, so that what is temporary is removed, unless it has a handler.

    So does the end of the terminal, which is passed on as SIGTERM; under nohup nothing is changed of that.
    """
    if threading.current_thread() is not threading.main_thread() or callable(signal.getsignal(signal.SIGTERM)):
        yield
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt)}
    if os.name == "posix" and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_from_a_handler(message: str) -> None:
    """As `say`, past the buffer: a signal may come while that is written to, and it then refuses more."""
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # no file stands behind it
        say(message)
        return
    with suppress(OSError):
        os.write(descriptor, f"picsift: {message}\n".encode())


def _end(message: str, status: int) -> NoReturn:
    with suppress(OSError):  # the terminal is gone: the status alone tells
        say(message)
    raise SystemExit(status)


def _os_sentence(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}." if error.filename else f"{reason}."
