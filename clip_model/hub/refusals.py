"""What a hub refuses, and what breaks on the way to it, as one sentence that says what to do."""

from __future__ import annotations

from types import TracebackType


class Told:
    """Turns what huggingface-hub raises into ValueError and OSError of one sentence."""

    def __init__(self, repo: str, endpoint: str, what: str) -> None:
        self._where, self._what, self._endpoint = f"{repo} at {endpoint}", what, endpoint

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Raise the sentence."""
        from httpx2 import HTTPError
        from huggingface_hub import errors

        where, again = self._where, "Nothing of it is used; the same command goes on where this one stopped"
        if isinstance(error, errors.GatedRepoError):
            raise ValueError(f"{where} is given only to who is logged in and has agreed to its terms") from error
        if isinstance(error, errors.RepositoryNotFoundError):
            raise ValueError(f"there is no {where}, or it is given only to who is logged in") from error
        if isinstance(error, (errors.RevisionNotFoundError, errors.EntryNotFoundError)):
            raise ValueError(f"{where} has no {self._what} any more") from error
        if isinstance(error, errors.OfflineModeIsEnabled):
            raise OSError(f"{where} is not asked, since HF_HUB_OFFLINE is set; unset it to fetch the model") from error
        if isinstance(error, errors.HfHubHTTPError) and error.response is not None:
            raise OSError(
                f"{where} answers with status {error.response.status_code} for {self._what}. {again}"
            ) from error
        if isinstance(error, HTTPError):
            reason = str(error) or type(error).__name__
            raise OSError(
                f"{self._endpoint} cannot be reached, or the line broke ({reason:.200}). Is this machine online? "
                f"{again}"
            ) from error
        if isinstance(error, OSError) and error.errno is None:  # of a file that has another size than was said
            raise OSError(
                f"{where}: {self._what} was cut short ({str(error).splitlines()[0]:.200}). {again}"
            ) from error
