"""The console script: hands over to `app/cli/commands.py`, and ends in order if interrupted while that loads."""

import importlib.metadata
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line; the version alone is told without it."""
    if sys.argv[1:] == ["--version"]:
        with suppress(OSError):  # nobody reads it; what follows says so as all commands do
            sys.stdout.write(f"{importlib.metadata.version('picsift')}\n")
            sys.stdout.flush()
            return
    try:
        from app.cli.commands import main as run
    except KeyboardInterrupt:
        sys.stderr.write("picsift: interrupted.\n")
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
