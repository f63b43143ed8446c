"""`python -m app.cli`: the command line, without what `app.launch` does for one that is interrupted while it loads."""

from app.cli.commands import main

main()
