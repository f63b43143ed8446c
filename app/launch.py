"""The console script: asks a running server, or hands over to `app/cli/commands.py`; ends in order if interrupted.

What a server can say takes less time than to import what finds it out.
"""

import atexit
import gc
import os
import signal
import sys
import threading
from contextlib import suppress

IMPORTED = 200_000
"""More objects than a command imports, all of which stay: to look for garbage there takes a fifth of a search."""
_UNWRITTEN = 120  # Python's own status where what was printed could not be written


def main() -> None:
    """Run the command line; the version alone is told without it, and what a server answers too."""
    _have_streams()
    if sys.argv[1:] == ["--version"]:
        import importlib.metadata

        with suppress(OSError):  # nobody reads it; what follows says so as all commands do
            sys.stdout.write(f"{importlib.metadata.version('picsift')}\n")
            sys.stdout.flush()
            return
    status = [1]  # of an error that nobody foresaw
    looks = sys.argv[1:2] in (["search"], ["similar"])
    atexit.register(_end, status, nothing_is_open=looks)  # as the first, which is called as the last
    try:
        _look_for_less_garbage()
        if looks:
            _end_when_interrupted()
            _ask_a_server(sys.argv[1], sys.argv[2:])
        else:
            _hear_every_interrupt()
        from app.cli.commands import main as run

        run()
        status[0] = 0
    except SystemExit as ended:
        status[0] = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise
    except KeyboardInterrupt:
        sys.stderr.write("picsift: interrupted.\n")
        status[0] = 130
        raise SystemExit(130) from None


def _have_streams() -> None:
    """Open for nobody what was closed (`>&-`): else there is no such stream, and the next file gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  as long as the process


def _end_when_interrupted() -> None:
    """Have Ctrl-C and SIGTERM end a search at once, which leaves nothing behind that has to be put in order.

    What a handler raises while something is imported may be lost, since imports call weak references back, whose errors
    Python passes over; and then it keeps the lock of all imports, for which the threads beside it wait for ever.
    """
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) == usual:  # nobody had it passed over
            signal.signal(number, _end_interrupted)


def _hear_every_interrupt() -> None:
    """Have Ctrl-C unwind any other command, which may have to put in order what it does, wherever it comes."""
    from app.cli.terminal.interrupts import interrupt

    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:  # as above
        signal.signal(signal.SIGINT, interrupt)


def _end_interrupted(*_: object) -> None:
    with suppress(OSError, ValueError):  # past the buffer, which may be being written to
        os.write(sys.stderr.fileno(), b"picsift: interrupted.\n")
    os._exit(130)


def _ask_a_server(command: str, arguments: list[str]) -> None:
    """Print what it says, and end; return where none answers for these."""
    from app.running.asking import ask

    reply = ask(command, arguments)
    if reply is not None:
        from app.cli.terminal.streams import write

        write(reply.out, reply.err)
        raise SystemExit(reply.status)


def _end(status: list[int], *, nothing_is_open: bool) -> None:
    """End at once where a thread still imports or loads what nobody needs any more; all else has ended by now.

    Python stops such a thread in the midst of another library's code, which may abort the process: of fifteen servers
    that were stopped while they started two ended so. It also takes apart all that was imported, for 20 ms, which helps
    nobody where no file is open to be written to: then too, unless there is something to say of what was printed.
    """
    is_busy = any(thread.daemon for thread in threading.enumerate())
    lost: Exception | None = None
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            lost = lost or error
    if lost is not None and not is_busy:
        return
    if lost is not None and not isinstance(lost, BrokenPipeError):  # of which nobody wants to know any more
        os._exit(status[0] or _UNWRITTEN)
    if is_busy or nothing_is_open:
        os._exit(status[0])


def _look_for_less_garbage() -> None:
    """For the first time where there are more objects than imports make, as usual from then on, and not at the end."""
    usual = gc.get_threshold()

    def go_on(*_: object) -> None:
        """As a look begins: at its end Python would ignore what a signal raises that came meanwhile."""
        gc.callbacks.remove(go_on)
        gc.set_threshold(*usual)

    gc.callbacks.append(go_on)
    gc.set_threshold(IMPORTED)
    atexit.register(gc.freeze)


if __name__ == "__main__":
    main()
