"""What people change of tags themselves, whichever face they do it in: renamed, merged, deleted, restored.

Each says what was meant and what came of it, or refuses in a sentence.
"""

from app.tag_path import path_text
from app.tagging import last_run, lookup
from app.tagging.lookup import Services
from indexer.catalog.tag_records import TagPath
from indexer.errors import TagError


def rename(services: Services, old: str, new: str, *, exact: bool = False) -> tuple[TagPath, TagPath, int]:
    """Give a tag, with what lies under it, another path; gives both paths, and how many tags have new ones.

    With `exact`, here and below, a tag is named by its whole path alone.

    Raises:
        TagError: it is not there, or cannot be called so.
    """
    path, target = lookup.find(services, old, exact=exact), lookup.parsed(new)
    lookup.require_levels(services, path, target)
    return path, target, services.library.catalog.tags.rename(path, target)


def merge(services: Services, old: str, into: str, *, exact: bool = False) -> tuple[TagPath, TagPath, int]:
    """Let one tag become part of another; gives both paths, and how many photos' tags went over.

    Raises:
        TagError: one of them is not there, or they cannot be merged.
    """
    path, target = (lookup.find(services, name, exact=exact) for name in (old, into))
    lookup.require_levels(services, path, target)
    return path, target, services.library.catalog.tags.merge(path, target)


def changes(services: Services) -> list[tuple[TagPath, TagPath | None]]:
    """The words of vocabularies that were renamed or merged, with what they are now; None for those deleted."""
    # What is itself still keeps what was merged into it.
    return [(old, new) for old, new in services.library.catalog.tags.changes() if old != new]


def restore(services: Services, tag: str) -> TagPath:
    """Let a tag be suggested again that was renamed, merged or deleted; gives its path.

    Raises:
        TagError: it was none of these, or another one is called so now.
    """
    path, tags = lookup.parsed(tag), services.library.catalog.tags
    if there := [path_text(old) for old, new in changes(services) if new == path]:
        raise TagError(f"{there[0]} is {path_text(path)} now. Take that back first: picsift tags restore {there[0]!r}")
    if not tags.forget_changes(path):
        raise TagError(f"{path_text(path)} was not renamed, merged or deleted. 'picsift tags restore' lists what was.")
    last_run.forget(services.library.catalog)  # its words may be those of the last run again
    return path


def restore_all(services: Services) -> int:
    """The same for all tags, and for what is damaged; gives how many changes were known."""
    count = services.library.catalog.tags.forget_changes()
    last_run.forget(services.library.catalog)
    return count
