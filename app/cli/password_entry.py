"""`picsift serve --set-password`: asks for a password, twice, and stores its hash. It starts no server."""

import getpass
import os

from app.cli.terminal.output import say
from app.password_hash import LONGEST, composed, is_hash, make_hash
from app.settings import ENV_PREFIX, Settings, config_path, password_path
from app.tagging.export import safe_write
from indexer.errors import PicsiftError

SHORTEST = 8  # characters


class PasswordError(PicsiftError):
    """No password was stored."""


def ask_and_store(settings: Settings) -> None:
    """Ask on the terminal and write `password.hash` beside the config file.

    Raises:
        PasswordError: nothing usable was typed, or the config file already names a password.
        OSError: the file cannot be written.
    """
    path, named = password_path(), settings.password.get_secret_value() if settings.password else ""
    from_variable = bool(os.environ.get(ENV_PREFIX + "PASSWORD"))
    stored = path.read_text(encoding="ascii").strip() if path.is_file() else ""
    if named and named != stored and not from_variable:
        raise PasswordError(f"{config_path()} has a password, which goes before a stored one. Take it out first.")
    password = composed(_asked("New password: "))
    if not SHORTEST <= len(password) <= LONGEST or is_hash(password):
        raise PasswordError(f"a password has {SHORTEST} to {LONGEST} characters. Nothing was stored.")
    if password != composed(_asked("The same again: ")):
        raise PasswordError("the two were not the same. Nothing was stored.")
    path.parent.mkdir(parents=True, exist_ok=True)
    safe_write.replace(path, make_hash(password).encode() + b"\n", mode=0o600)
    say(f"its hash is in {path}; servers that start from now on ask for it. Remove the file to undo that.")
    if from_variable:
        say(f"{ENV_PREFIX}PASSWORD is set, and goes before it.")


def _asked(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise PasswordError("no password was typed. Nothing was stored.") from None
