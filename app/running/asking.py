"""Asks a running server of the same library what a command would print, before anything is imported that takes long.

Whatever is not as it should be (no server, another one, one that is slow, an answer cut short) is no answer, and the
command does its work itself. The server learns of nothing before it has proved that it wrote the note.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.running.note import Note, notes
from app.running.proof import ANSWERED, ASKED, HELLO, PATH, nonce, opened, sealed
from app.running.sources import agree, digests, library_folder, servers_may_be_asked

PROVED_WITHIN_S = 0.3  # from the first connection; all notes together. A sound server takes milliseconds
ANSWERED_WITHIN_S = 2.0  # a server that has so much else to do costs more than it saves
MOST_BYTES = 64 * 1024 * 1024
# Options that a server does not answer for: they name pictures, speak of the command's own work, or say so.
OWN_OPTIONS = ("--image", "--region", "--right", "--wrong", "--verbose", "--no-server", "--help", "-h", "-v")
# What rich asks the environment of a terminal.
TERMINAL = (
    *("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
    *("JUPYTER_COLUMNS", "JUPYTER_LINES", "UNICODE_VERSION"),
)


class Reply(NamedTuple):
    """What a command prints, and the exit status that it ends with."""

    out: str
    err: str
    status: int


def ask(command: str, arguments: Sequence[str]) -> Reply | None:
    """What a command (search, similar) prints with these arguments; None where no server says so that can be believed.

    What names a photo of the library leads a server to what it knows of it: it opens no file for a command.
    """
    if not may_be_asked(arguments) or not servers_may_be_asked() or sys.stdout is None or sys.stderr is None:
        return None
    try:
        return _asked(command, arguments)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None  # the command finds out by itself what is wrong


def may_be_asked(arguments: Sequence[str]) -> bool:
    """Whether arguments name no picture that has to be opened, and nothing that a command alone can do."""
    return not any(word.startswith(OWN_OPTIONS) or "image:" in word.lower() for word in arguments)


def _asked(command: str, arguments: Sequence[str]) -> Reply | None:
    named = _named_library(arguments)
    library = Path(os.path.expanduser(library_folder() if named is None else named))  # noqa: PTH111 - as settings do
    question = {"command": command, "arguments": list(arguments), "library": named, "terminal": _terminal()}
    if command == "similar":
        question["seen_from"] = os.getcwd()  # noqa: PTH109 - which relative names are read from
    deadline = time.monotonic() + PROVED_WITHIN_S
    for note in notes(library):
        if not agree(note.sources, digests(note.token)):
            continue
        asked = {**question, "folder": [note.library, note.identity]}
        try:
            said = _converse(note, json.dumps(asked).encode(), deadline)
        except OSError:
            continue  # it does not run any more, or another program answers there
        return None if said is None else _reply(json.loads(said))
    return None


def _named_library(arguments: Sequence[str]) -> str | None:
    """What `--library` says; the server sees to it that the whole command line is read so, and no otherwise."""
    named = None
    for at, word in enumerate(arguments):
        if word == "--":
            break
        if word == "--library":
            named = arguments[at + 1]
        elif word.startswith("--library="):
            named = word.partition("=")[2]
    return named


def _terminal() -> dict[str, object]:
    """What the look of an answer depends on."""
    environment = {name: os.environ[name] for name in TERMINAL if name in os.environ}
    return {"tty": sys.stdout.isatty(), "encoding": sys.stdout.encoding, "environment": environment}


def _reply(said: object) -> Reply | None:
    """The reply that a document is; None where the server leaves the command to itself."""
    if not isinstance(said, dict):
        return None
    reply = Reply(said["out"], said["err"], said["status"])
    sound = isinstance(reply.out, str) and isinstance(reply.err, str) and isinstance(reply.status, int)
    return reply if sound else None


def _converse(note: Note, asked: bytes, deadline: float) -> bytes | None:
    """Ask for a proof, then the question, on one connection; None where the proof or the answer is none.

    Raises:
        OSError: nothing that speaks HTTP answers there, in time.
    """
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    with socket.create_connection((note.address, note.port), timeout=left_s) as connection:
        own = nonce()
        proof = _exchange(connection, note, f"{HELLO} {own}".encode(), deadline)
        theirs = opened(note.token, HELLO, own, proof)
        if theirs is None:
            raise ConnectionError
        both = f"{own} {theirs.decode('ascii')}"
        message = both.encode() + b"\n" + sealed(note.token, ASKED, both, asked)
        answer = _exchange(connection, note, message, time.monotonic() + ANSWERED_WITHIN_S)
    return opened(note.token, ANSWERED, both, answer)


def _exchange(connection: socket.socket, note: Note, body: bytes, deadline: float) -> bytes:
    """One request, and the body of its answer; raises OSError where it is not a whole 200."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: {note.host}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.settimeout(max(deadline - time.monotonic(), 0.001))
    connection.sendall(head.encode("latin-1") + body)
    received = b""
    while b"\r\n\r\n" not in received:
        received += _received(connection, deadline)
        if len(received) > MOST_BYTES:
            raise ConnectionError
    answered, _, content = received.partition(b"\r\n\r\n")
    status, *headers = answered.decode("latin-1").split("\r\n")
    lengths = [line.partition(":")[2] for line in headers if line.lower().startswith("content-length:")]
    if status.split(" ")[1:2] != ["200"] or len(lengths) != 1 or not 0 <= int(lengths[0]) <= MOST_BYTES:
        raise ConnectionError
    parts, missing = [content], int(lengths[0]) - len(content)
    while missing > 0:
        parts.append(_received(connection, deadline))
        missing -= len(parts[-1])
    if missing:
        raise ConnectionError  # more than was announced
    return b"".join(parts)


def _received(connection: socket.socket, deadline: float) -> bytes:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    connection.settimeout(left_s)
    received = connection.recv(256 * 1024)
    if not received:
        raise ConnectionError
    return received
