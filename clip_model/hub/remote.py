"""One repository of a hub, asked through huggingface-hub: what it holds, and its files from any byte on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from clip_model.hub.refusals import Told

ENDPOINT = "HF_ENDPOINT"  # huggingface-hub's own variable: another hub, such as a mirror
_TIMEOUT_S = 30.0


class Remote:
    """One repository, asked through huggingface-hub; what goes wrong is told in plain words."""

    def __init__(self, repo: str) -> None:
        from huggingface_hub import HfApi, constants

        self._repo = repo
        self._api = HfApi(endpoint=os.environ.get(ENDPOINT) or constants.ENDPOINT, library_name="picsift")

    def listing(self, revision: str) -> tuple[object, dict[str, Any]]:
        """What the hub says of a revision: the commit, and of each file by its name the size and the checksum."""
        from huggingface_hub import constants
        from huggingface_hub.errors import OfflineModeIsEnabled

        with self.told(f"revision {revision}"):
            if constants.is_offline_mode():
                raise OfflineModeIsEnabled("HF_HUB_OFFLINE is set")
            try:
                said = self._api.model_info(self._repo, revision=revision, files_metadata=True, timeout=_TIMEOUT_S)
                return said.sha, {sibling.rfilename: sibling for sibling in said.siblings or ()}
            except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError, UnicodeError) as error:
                raise ValueError(
                    f"{self._api.endpoint} does not answer as a hub does ({type(error).__name__}: {error!s:.100}). "
                    "Is this network behind a page where one logs in, or does HF_ENDPOINT name something else?"
                ) from error

    def download(
        self, commit: str, name: str, file: BinaryIO, have: int, size: int, tell: Callable[[int], None]
    ) -> None:
        """Write a file from byte `have` on; `tell` is told how many bytes of it are here, before they are written."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(self._repo, name, revision=commit, endpoint=self._api.endpoint)
        counted = type("Counted", (_Bar,), {"tell": staticmethod(tell)})
        with self.told(name):
            http_get(
                url, file, resume_size=have, headers=build_hf_headers(library_name="picsift"), expected_size=size,
                displayed_filename=name, tqdm_class=cast(Any, counted),
            )  # fmt: skip

    def told(self, what: str) -> Told:
        """Within it, what the hub or the line refuses is raised as a sentence."""
        return Told(self._repo, str(self._api.endpoint), what)


class _Bar:
    """What huggingface-hub tells of a download, in place of a bar of its own."""

    tell: Callable[[int], None]

    def __init__(self, *, initial: int = 0, **said: Any) -> None:
        """So many bytes are here; what it would write beside its bar says nothing here."""
        self._have = initial

    def __enter__(self) -> _Bar:
        """As a bar does."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    def update(self, count: float) -> None:
        """So many more bytes are here; fewer, where a server begins anew."""
        self._have += int(count)
        type(self).tell(self._have)
