"""What an export has to say of each photo: its accepted tags, what was taken back of earlier ones, what was given here.

The same whether it goes beside the photo or into it. It reads the catalog alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app.tagging.xmp.merge import Described, Wanted
from indexer.catalog.tag_records import PhotoTag, TagPath

ALBUM = "album"  # tags under this one are albums, which have a field of their own beside the keywords


@dataclass(frozen=True)
class Wish:
    """What a photo's XMP is to say.

    Attributes:
        accepted: its tags.
        gone: tags that an export added to this file, and that the photo has no more.
        edits: of "rating", "title" and "description" those that were given here, as texts. Never what the file says
            itself: a sidecar goes before the file, and would hide what is changed in it later.
    """

    accepted: tuple[TagPath, ...]
    gone: tuple[TagPath, ...]
    edits: Mapping[str, str]

    def __bool__(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.accepted or self.gone or self.edits)

    @property
    def words(self) -> tuple[str, ...]:
        """The names of what it says beside tags."""
        return tuple(name for name in ("rating", "title", "description") if name in self.edits)

    def changed(self, before: Described | None, after: Described) -> tuple[str, ...]:
        """Of `words` those that a packet says only now; None for one that was not there."""
        return tuple(name for name in self.words if before is None or getattr(before, name) != getattr(after, name))

    def wanted(self, more: Sequence[TagPath] = ()) -> Wanted:
        """The same for a packet, with tags beside those of the library."""
        rating = int(self.edits["rating"]) if "rating" in self.edits else None
        albums = tuple(" / ".join(tag[1:]) for tag in self.accepted if tag[0] == ALBUM and len(tag) > 1)
        texts = (self.edits.get("title"), self.edits.get("description"))
        return Wanted((*self.accepted, *more), self.gone, rating, *texts, albums)


def wish(tags: Sequence[PhotoTag], written: Collection[TagPath], edits: Mapping[str, str]) -> Wish:
    """What is to be said.

    Args:
        tags: of the photo, in every state.
        written: those that exports added to the file, and nobody took back.
        edits: what was given to the photo here, by field.
    """
    accepted = tuple(tag.path for tag in tags if tag.state == "accepted")
    return Wish(accepted, tuple(sorted(set(written) - set(accepted))), edits)
