"""The console script: hands over to `cli.py`, and ends in order when it is interrupted while that is still loading."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from app.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("picsift: interrupted.\n")
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
