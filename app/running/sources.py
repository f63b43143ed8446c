"""What a process's settings come from, and which program it is: a server answers for a command that has the same.

It understands no setting but the library's folder; `app/settings.py` does.
"""

import os
import sys
from collections.abc import Collection
from pathlib import Path

from app.running.proof import digest

PREFIX = "PICSIFT_"
CONFIG = "PICSIFT_CONFIG"
LIBRARY = "PICSIFT_LIBRARY"
ASK = "PICSIFT_ASK_SERVER"
YES = {"1", "true", "t", "yes", "y", "on"}  # as pydantic reads them
APP_NAME = "picsift"
# What a search has nothing to do with: a server may be started with these, and a command without.
OF_SERVERS = {PREFIX + name for name in ("HOST", "PORT", "PASSWORD", "ROOT_PATH", "TRUSTED_PROXY", "ALLOWED_HOST")}
FILES = ("config.toml", "password.hash")
PACKAGES = ("app", "indexer", "clip_model")


def config_file() -> Path:
    """Where the config file is looked for: PICSIFT_CONFIG, or the platform's config folder."""
    named = os.environ.get(CONFIG)
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / FILES[0]


def library_folder() -> Path:
    """The library that the environment, or the config file, or else the platform names; raises what is wrong there."""
    named = [value for name, value in os.environ.items() if name.upper() == LIBRARY and value]
    if named:
        return Path(named[-1])  # as settings do
    path = config_file()
    if path.exists():
        import tomllib

        in_file = tomllib.loads(path.read_text(encoding="utf-8")).get("library")
        if in_file is not None:
            return Path(in_file)
    import platformdirs

    return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))


def digests(token: str) -> dict[str, str]:
    """Each thing that settings come from -> a digest of it under the token.

    Variables by their names, as they are written; the config file, the password's beside it, and the time zone.
    """
    found = {name: digest(token, name, _bytes(value)) for name, value in os.environ.items() if value and _is_own(name)}
    path = config_file()
    for name, file in zip(FILES, (path, path.with_name(FILES[1])), strict=True):
        content = b"+" + file.read_bytes() if file.exists() else b"-"
        found[name] = digest(token, name, _bytes(str(file)) + b"\0" + content)
    found["TZ"] = digest(token, "TZ", _bytes(os.environ.get("TZ", "")))
    return found


def servers_may_be_asked() -> bool:
    """Whether the environment says nothing against it; where the config file does, no server leaves a note.

    Where a variable is written in two ways their order decides, which no digest tells: then none is asked.
    """
    names = [name.upper() for name, value in os.environ.items() if value and _is_own(name)]
    return os.environ.get(ASK, "yes").lower() in YES and len(set(names)) == len(names)


def agree(of_server: dict[str, str], own: dict[str, str]) -> bool:
    """Whether a command with its own digests would search by the same settings as the server."""
    aside = {LIBRARY, CONFIG, ASK}  # told by the folder, by the file's digest, and asked before
    only_there = of_server.keys() - own.keys() - OF_SERVERS - aside
    return not only_there and all(of_server.get(name) == own[name] for name in own.keys() - aside)


def known(found: dict[str, str], settings: Collection[str]) -> dict[str, str]:
    """The digests without variables that are no settings, of which every command has something to say."""
    names = {PREFIX + name.upper() for name in settings}
    return {name: value for name, value in found.items() if not _is_own(name) or name.upper() in names}


def program() -> str:
    """What tells this picsift from another: its files as they are, the Python that runs them, and what is installed."""
    told = [sys.version, sys.prefix, *sorted(_installed())]
    for package in PACKAGES:
        told += sorted(_files(str(Path(__file__).parents[2] / package)))
    return digest("program", "", _bytes("\n".join(told)))


def _installed() -> set[str]:
    """The names of installed packages with their versions, as the folders are called that describe them."""
    found = set[str]()
    for folder in sys.path:
        if os.path.basename(folder) in ("site-packages", "dist-packages") and os.path.isdir(folder):  # noqa: PTH112, PTH119
            found.update(name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info")))  # noqa: PTH208
    return found


def _files(folder: str) -> list[str]:
    found: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                found += [] if entry.name == "__pycache__" else _files(entry.path)
            elif entry.name.endswith(".py"):
                status = entry.stat()
                found.append(f"{entry.path} {status.st_size} {status.st_mtime_ns}")
    return found


def _is_own(name: str) -> bool:
    return name.upper().startswith(PREFIX)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
