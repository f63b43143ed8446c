"""How a server and a command prove to each other that they read the same note, without saying what its token is. Pure.

A proof is an HMAC-SHA256 under the token of what is said, for what, and of numbers used once that the other side chose.
"""

import hmac
import os

PATH = "/api/v1/command"  # of the server, where commands are answered
MOST_BYTES = 256 * 1024  # of what a command sends
HELLO, ASKED, ANSWERED = "hello", "asked", "answered"


def nonce() -> str:
    """A number that was used by nobody, and will be by nobody."""
    return os.urandom(16).hex()


def sealed(token: str, purpose: str, nonces: str, said: bytes) -> bytes:
    """What is said, behind a line that proves who says it."""
    return _seal(token, purpose, nonces, said) + b"\n" + said


def opened(token: str, purpose: str, nonces: str, message: bytes) -> bytes | None:
    """What a message says; None where it is not from who knows the token, for this purpose and these numbers."""
    seal, line, said = message.partition(b"\n")
    return said if line and hmac.compare_digest(seal, _seal(token, purpose, nonces, said)) else None


def digest(token: str, name: str, value: bytes) -> str:
    """What tells whether a value is the same, and nothing else about it."""
    return hmac.digest(
        token.encode(), b"\0".join((b"value", name.encode("utf-8", "surrogateescape"), value)), "sha256"
    ).hex()


def _seal(token: str, purpose: str, nonces: str, said: bytes) -> bytes:
    told = b"\0".join((purpose.encode(), nonces.encode("utf-8", "replace"), said))
    return hmac.digest(token.encode(), told, "sha256").hex().encode()
