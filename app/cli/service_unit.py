"""A service definition that runs `picsift watch` after every login: a systemd user unit, or a launchd agent on macOS.

It writes one file and starts nothing: it says which command does.
"""

import os
import plistlib
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from app.cli.terminal.output import say, tell
from app.settings import ENV_PREFIX, Settings
from indexer.errors import PicsiftError

NAME = "picsift-watch"
LABEL = "org.picsift.watch"
UNIT = """\
# Written by 'picsift watch --install-service'. Photos can be read here, and only the library written.
[Unit]
Description=picsift: keep the photo library in step with its folders
Documentation=man:systemd.exec(5)

[Service]
Type=exec
ExecStart={command}
{environment}Restart=on-failure
RestartSec=30
TimeoutStopSec=15
Nice=10
CPUSchedulingPolicy=batch
IOSchedulingClass=idle
UMask=0077
NoNewPrivileges=yes
PrivateUsers=yes
PrivateTmp=yes
PrivateNetwork=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={library}
ProtectControlGroups=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


class ServiceError(PicsiftError):
    """The service definition cannot be written."""


def install(
    settings: Settings,
    folders: Sequence[Path],
    options: Sequence[str],
    *,
    print_only: bool,
    force: bool,
) -> None:
    """Write the service definition where the system looks for it, and say how to enable it.

    Args:
        settings: which library it is for.
        folders: what the service is told to follow beside what the library knows.
        options: of `watch`, as given on the command line.
        print_only: print it, and write nothing.
        force: replace a file that is there.

    Raises:
        ServiceError: there is one already, it cannot be written, or this system has neither systemd nor launchd.
    """
    command = watch_command(settings.library, folders, options)
    mac = sys.platform == "darwin"
    text = launchd_agent(command) if mac else systemd_unit(command, settings.library)
    if print_only:
        print(text, end="")  # noqa: T201 - a file, byte for byte; it escapes names itself
        return
    if not mac and sys.platform != "linux":
        raise ServiceError("this system has neither systemd nor launchd. Let it start 'picsift watch' its own way.")
    target = agent_path() if mac else unit_path()
    _write(target, text, force=force)
    try:
        settings.library.mkdir(parents=True, exist_ok=True)  # the unit may only name a folder that is there
    except OSError as error:
        raise ServiceError(f"the library folder {settings.library} cannot be made: {error.strerror}.") from error
    say(f"{target} is written. To start it now and after every login:")
    enable = f"launchctl load -w {shlex.quote(str(target))}" if mac else f"systemctl --user enable --now {NAME}"
    tell(enable)


def watch_command(library: Path, folders: Sequence[Path], options: Sequence[str]) -> list[str]:
    """The command that the service runs, as absolute as the service needs it."""
    program = shutil.which("picsift")
    command = [os.path.abspath(program)] if program else [sys.executable, "-m", "app.launch"]  # noqa: PTH100
    return [*command, "watch", "--library", str(library), *options, *map(str, folders)]


def systemd_unit(command: Sequence[str], library: Path) -> str:
    """The unit's text."""
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in _variables().items())
    line = " ".join(_quoted(part).replace("$", "$$") for part in command)
    return UNIT.format(command=line, environment=environment, library=_quoted(str(library)))


def launchd_agent(command: Sequence[str]) -> str:
    """The agent's property list."""
    log = str(Path.home() / "Library/Logs/picsift.log")
    variables = _variables()
    agent = {
        "Label": LABEL,
        "ProgramArguments": list(command),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Nice": 10,
        "Umask": 0o077,
        "StandardOutPath": log,
        "StandardErrorPath": log,
        **({"EnvironmentVariables": variables} if variables else {}),
    }
    return plistlib.dumps(agent).decode()


def _variables() -> dict[str, str]:
    """The settings that stand in variables now, so that the service has them too; a password is not among them."""
    left_out = {f"{ENV_PREFIX}LIBRARY", f"{ENV_PREFIX}PASSWORD"}  # the library stands in the command
    found = {name: value for name, value in os.environ.items() if name.startswith(ENV_PREFIX) and value}
    return {name: found[name] for name in sorted(found.keys() - left_out)}


def unit_path() -> Path:
    """Where systemd looks for a person's own units."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "systemd/user" / f"{NAME}.service"


def agent_path() -> Path:
    """Where launchd looks for a person's own agents."""
    return Path.home() / "Library/LaunchAgents" / f"{LABEL}.plist"


def _quoted(text: str) -> str:
    """One word of a unit file: quoted, with what systemd would replace doubled (systemd.syntax(7))."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return f'"{escaped}"'


def _write(target: Path, text: str, *, force: bool) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w" if force else "x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except FileExistsError as error:
        raise ServiceError(f"{target} is there already. Replace it with --force, or look at it first.") from error
    except OSError as error:
        raise ServiceError(f"{target} cannot be written: {error.strerror}. --print shows what would be.") from error
