"""The console script: asks a running server, or hands over to `app/cli/commands.py`; ends in order if interrupted.

What a server can say takes less time than to import what finds it out.
"""

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress

IMPORTED = 200_000
"""More objects than a command imports, all of which stay: to look for garbage there takes a fifth of a search."""
_UNWRITTEN = 120  # Python's own status where what was printed could not be written


def main() -> None:
    """Run the command line; the version alone is told without it, and what a server answers too."""
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
            _ask_a_server(sys.argv[1], sys.argv[2:])
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
