"""The console script: asks a running server, or hands over to `app/cli/commands.py`; ends in order if interrupted.

What a server can say takes less time than to import what finds it out.
"""

import atexit
import gc
import sys
from contextlib import suppress

IMPORTED = 200_000
"""More objects than a command imports, all of which stay: to look for garbage there takes a fifth of a search."""


def main() -> None:
    """Run the command line; the version alone is told without it, and what a server answers too."""
    if sys.argv[1:] == ["--version"]:
        import importlib.metadata

        with suppress(OSError):  # nobody reads it; what follows says so as all commands do
            sys.stdout.write(f"{importlib.metadata.version('picsift')}\n")
            sys.stdout.flush()
            return
    try:
        _look_for_less_garbage()
        if sys.argv[1:2] in (["search"], ["similar"]):
            _ask_a_server(sys.argv[1], sys.argv[2:])
        from app.cli.commands import main as run
    except KeyboardInterrupt:
        sys.stderr.write("picsift: interrupted.\n")
        raise SystemExit(130) from None
    run()


def _ask_a_server(command: str, arguments: list[str]) -> None:
    """Print what it says, and end; return where none answers for these."""
    from app.running.asking import ask

    reply = ask(command, arguments)
    if reply is not None:
        from app.cli.terminal.streams import write

        write(reply.out, reply.err)
        raise SystemExit(reply.status)


def _look_for_less_garbage() -> None:
    """For the first time where there are more objects than imports make, as usual from then on, and not at the end."""
    usual = gc.get_threshold()

    def go_on(phase: str, _: dict[str, int]) -> None:
        if phase == "stop":
            gc.callbacks.remove(go_on)
            gc.set_threshold(*usual)

    gc.callbacks.append(go_on)
    gc.set_threshold(IMPORTED)
    atexit.register(gc.freeze)


if __name__ == "__main__":
    main()
