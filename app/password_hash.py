"""A password as it is stored: an argon2 hash. It says nothing about who may try one."""

import unicodedata

HASHED = "$argon2id$"
LONGEST = 256  # characters of a password
LONGEST_BYTES = 4096  # of an answer, however it is spelled: to compose a row of accents takes the square of its length


def composed(password: str) -> str:
    """One spelling of it: keyboards write é as one character or as two."""
    return unicodedata.normalize("NFC", password)


def is_hash(password: str) -> bool:
    """Whether it is not the password itself."""
    return password.startswith(HASHED)


def make_hash(password: str) -> str:
    """An argon2 hash of the password, with a salt of its own."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(composed(password))


def check_length(password: str) -> None:
    """Refuse one that no answer would be compared with.

    Raises:
        ValueError: saying so.
    """
    if len(password) > LONGEST:
        raise ValueError(f"a password has at most {LONGEST} characters")


def check_hash(text: str) -> None:
    """Refuse what begins like a hash and is none.

    Raises:
        ValueError: saying so.
    """
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    try:
        if not is_hash(text):
            raise ValueError("another kind")
        extract_parameters(text)
    except (InvalidHashError, ValueError):
        raise ValueError(f"what begins with {HASHED} has to be a whole argon2 hash") from None


def matches(hashed: str, given: str) -> bool:
    """Whether a hash is that of a password; takes some 50 ms and 64 MB, as it should."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(hashed, composed(given).encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
