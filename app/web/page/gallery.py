"""The gallery as HTML: tiles, the line above them, and what stands there when there are none. Pure."""

import base64
import shlex
from collections.abc import Iterable
from pathlib import Path

from app.activities import sentence
from app.built_in import limits_of
from app.clock import clock
from app.names import shown_path
from app.search.search_service import Hit
from app.web.page.browsing import Shown
from app.web.page.markup import safe
from indexer.catalog.records import PhotoRecord
from indexer.counted import counted
from indexer.watching.activity import Activity

NARROWEST, WIDEST = 0.6, 2.4  # width by height of a tile; what lies beyond is cropped
_BADGE = '<span class="badge" title="Its file cannot be reached at the moment">not reachable</span>'
EXAMPLES = ("two dogs on a beach", "birthday cake with candles", "mountains in the snow", "red bicycle")


def photo_url(photo: PhotoRecord, kind: str, frame: int = 0) -> str:
    """Where the HTTP API serves a photo's, or a frame's, thumbnail, preview or original, relative to the page."""
    which = f"&amp;frame={frame}" if frame else ""
    return f"api/v1/photos/{photo.id}/{kind}?v={photo.content_hash}{which}"


def tiles(hits: Iterable[Hit]) -> str:
    """The photos that were found, best first."""
    return '<ul class="tiles">' + "".join(map(tile, hits)) + "</ul>"


def summary(shown: Shown) -> str:
    """How many photos were searched for what, how long it took, and which model answered."""
    result = shown.result
    newest = bool(result.hits) and result.hits[0].score is None  # filters alone: nothing was compared
    found = f"{_count(result.total)}, the newest first, found" if newest else f"Searched {_count(result.total)}"
    if result.matches is not None:
        found = f"{counted(result.matches, 'match', 'matches')} among {_count(result.total)}"
    copies = ", copies counted," if any(hit.copies for hit in result.hits) else ""
    searched = f"{found}{copies} in {_duration(result.took_ms)}" if result.total else "No photo is left to search"
    told = f"{result.model}: {limits}" if (limits := limits_of(result.model)) else result.model
    model = f'<span title="{safe(told)}"> · model {safe(Path(result.model).name)}</span>'
    return f'<p class="summary">{searched}{model}</p>{unused(shown)}'


def unused(shown: Shown) -> str:
    """What of the question does not count, and why; "" where all does."""
    return f'<p class="summary">{safe(_sentence(shown.unused))}</p>' if shown.unused else ""


def nothing_found(shown: Shown, searchable: int) -> str:
    """Why there is no hit, and what to do, where so many photos can be searched."""
    if shown.result.total and shown.result.matches == 0:
        button = '<button type="button" data-least="nearest">Show what is nearest</button>'
        nearest = f'<div class="examples">{button}</div>'
        why = safe(_sentence(shown.result.hint or "no photo matches."))
        return _notice("No matches", f"<p>{why}</p>{nearest}")
    if searchable and shown.query.filter != type(shown.query.filter)():  # else it is none of the filters' doing
        return none_passes(shown.result.hint)
    why = safe(_sentence(shown.result.hint or "there is no other photo to compare with."))
    return _notice("Nothing to compare with", f"<p>{why}</p>")


def none_passes(hint: str | None, title: str = "No photo passes these filters") -> str:
    """That filters pass no photo, and what may have been meant, if that is known."""
    said = _sentence(hint or "leave one of the filters out, or widen it.")
    return _notice(title, f"<p>{safe(said)}</p>")


def opening(shown: Shown, told: str) -> str:
    """What the page shows before anything is asked: what `ready` says, the newest photos, and what may be asked."""
    examples = "".join(f'<button type="button" data-example="{safe(text)}">{safe(text)}</button>' for text in EXAMPLES)
    hint = "Describe what is in the picture, or add one to find others like it: choose, paste or drop it here."
    limits = limits_of(shown.result.model)
    small = f'<p class="summary">The model {safe(shown.result.model)} answers; {safe(limits)}.</p>' if limits else ""
    examples = f'<div class="examples">{examples}</div>'
    greeting = f"<h2 data-ready>{told}</h2><p>{hint}</p>{examples}{small}"
    return f'<section class="notice home">{greeting}</section>{tiles(shown.result.hits)}'


def ready(searchable: int, photos: int) -> str:
    """How many photos can be searched, and of how many where that is not all."""
    if searchable < photos:
        return f"{searchable:,} of {counted(photos, 'photo')} {'is' if searchable == 1 else 'are'} ready to be searched"
    return f"{counted(photos, 'photo is', 'photos are')} ready to be searched"


def activity_line(activity: Activity | None) -> str:
    """A line while photos are being indexed, or why they are not; "" else."""
    if activity is None or activity.state not in ("scanning", "indexing", "waiting"):
        return ""
    told = sentence(activity)
    return f'<p class="now" role="status">{safe(told[:1].upper() + told[1:])}</p>'


def picture_button(most: int) -> str:
    """The button that takes a picture to search by, of at most that many bytes."""
    return f'<button type="button">Picture</button><input type="file" hidden data-most="{most}">'


def filters_button() -> str:
    """The button that shows and hides the fields beside the words."""
    return '<button type="button" aria-expanded="false" aria-controls="filters">Filters</button>'


def settings() -> str:
    """How answers are listed, whatever is asked."""
    return (
        '<label><input type="checkbox" data-how="diverse" value="yes">Keep alike photos apart</label>'
        '<label><input type="checkbox" data-how="copies" value="all">Show every copy</label>'
    )


def asked_picture(shown: Shown) -> str:
    """The picture that is being searched by, with a button to take it away; "" where words alone are."""
    if shown.like is not None:
        return _asked(photo_url(shown.like, "thumbnail"), f"Photos like {shown_path(Path(shown.like.path.name))}")
    if shown.sample is None:
        return ""
    caption = "Your picture, mixed with your words" if shown.query.text else "Photos like your picture"
    return _asked("data:image/webp;base64," + base64.b64encode(shown.sample.small).decode(), caption)


def _asked(source: str, caption: str) -> str:
    return (
        f'<figure class="asked"><img src="{safe(source)}" alt=""><figcaption>{safe(caption)}</figcaption>'
        '<button type="button" data-clear aria-label="Stop searching by this picture" title="Remove">×</button>'
        "</figure>"
    )


def tile(hit: Hit, kind: str = "tile", note: str = "") -> str:
    """One photo, with what is told below it, as HTML."""
    photo = hit.photo
    name = safe(shown_path(Path(photo.path.name)))
    ratio = min(max((photo.width or 4) / (photo.height or 3), NARROWEST), WIDEST)
    frame = f' data-frame="{hit.frame}"' if hit.frame else ""
    missing, badge = ("", "") if photo.missing_since is None else (" missing", _BADGE)
    return (
        f'<li class="{kind}{missing}" style="--ratio:{ratio:.3f}">'
        f'<button type="button" data-id="{photo.id}"{frame} title="{name}">'
        f'<img src="{photo_url(photo, "thumbnail", hit.frame)}" alt="{name}" loading="lazy" decoding="async">{badge}'
        f"{_moment(hit)}{_score(hit)}</button>{_marking(hit)}{_copies(hit)}{note}</li>"
    )


def marking(photo_id: int) -> str:
    """Two buttons that say whether a photo is what was looked for."""
    return "".join(
        f'<button type="button" class="mark {kind}" data-mark="{kind}" data-of="{photo_id}" aria-pressed="false" '
        f'aria-label="{said}" title="{said}"></button>'
        for kind, said in (("right", "This is what I look for"), ("wrong", "This is not what I look for"))
    )


def _marking(hit: Hit) -> str:
    return "" if hit.score is None else f'<span class="marks">{marking(hit.photo.id)}</span>'


def _copies(hit: Hit) -> str:
    """How many photos stand behind this one, with a button that shows them beside it."""
    if not hit.copies:
        return ""
    count = len(hit.copies)
    said = f"Show {counted(count, 'more copy', 'more copies')}"
    tiles_ = "".join(tile(Hit(copy, None, moment_s=copy.poster_s), "tile copy") for copy in hit.copies)
    return (
        f'<button type="button" class="behind" aria-expanded="false" data-copies title="{said}" aria-label="{said}">'
        f"+{count:,}</button><template>{tiles_}</template>"
    )


def _score(hit: Hit) -> str:
    if hit.score is None:
        return ""
    if hit.relevance is None:
        title, shown = "Score: how near the photo is to what was asked, at most 1", f"{hit.score:.2f}"
    else:
        title = f"How well the photo fits; from 50% on it counts as a match. Score {hit.score:.2f}"
        shown = f"{100 * hit.relevance:.0f}%"
    if "words" in hit.found_by:
        carried = "It carries the words: in title, description, keywords, tags, or names of file and folders"
        title = f"{carried}. {title}"
        shown = f"words · {shown}" if "picture" in hit.found_by else "words"
    return f'<span class="score" title="{title}">{shown}</span>'


def _moment(hit: Hit) -> str:
    if hit.moment_s is None or hit.photo.duration_s is None:
        return ""
    title = f"A video of {clock(hit.photo.duration_s)}; this is at {clock(hit.moment_s)}"
    return f'<span class="moment" title="{title}">▶ {clock(hit.moment_s)}</span>'


def empty_library(library: Path, failed: int = 0) -> str:
    """What stands in place of photos where the library has none, and of the `failed` files that could not be read."""
    of = f"--library {shlex.quote(shown_path(library))}"
    if failed:
        files = counted(failed, "file was found, and could not", "files were found, and none could")
        told = f"<p>{files} be read. In a terminal, this says why:</p>"
        return _notice("No photo could be read", f"{told}<pre><code>{safe(f'picsift status {of}')}</code></pre>")
    command = f"picsift index ~/Pictures {of}"
    return _notice(
        "Your library is empty",
        "<p>Point picsift at a folder of photos. In a terminal, with your own folder in place of ~/Pictures:</p>"
        f"<pre><code>{safe(command)}</code></pre>"
        "<p>Photos are only read, and never leave this machine. They show up here as they come in.</p>",
    )


def _notice(title: str, body: str) -> str:
    return f'<section class="notice"><h2>{safe(title)}</h2>{body}</section>'


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _count(photos: int) -> str:
    return counted(photos, "photo")


def _duration(took_ms: float) -> str:
    return f"{took_ms:.0f} ms" if took_ms < 1000 else f"{took_ms / 1000:.1f} s"
