"""One photo, large, with what its file says of it, as HTML. Pure."""

from collections.abc import Sequence
from pathlib import Path

from app.clock import clock, day_and_time
from app.names import shown_path
from app.web.page.gallery import marking, photo_url
from app.web.page.markup import safe
from indexer.catalog.records import PhotoRecord
from indexer.catalog.tag_records import PhotoTag
from indexer.counted import counted

NOT_RECORDED = '<span class="absent">Not recorded</span>'
SHOWN_COPIES = 20
DATE_SOURCES = {
    "digitized": "when it was digitised",
    "gps": "from its GPS",
    "iptc": "from its IPTC fields",
    "xmp": "from its XMP fields",
    "sidecar": "from the XMP file beside it",
    "name": "from the file's name",
    "container": "from the video's header, in UTC",
    "modified": "when it was last edited",
    "file": "when the file was last written",
}


def viewer(
    photo: PhotoRecord,
    copies: Sequence[PhotoRecord] = (),
    tags: Sequence[PhotoTag] = (),
    *,
    frame: int = 0,
    moment_s: float | None = None,
    there: bool = True,
) -> str:
    """The photo with its facts, its actions, and the way to its neighbours and to its copies; a video at a moment.

    `there` says whether its file is where it was indexed.
    """
    name = safe(_name(photo))
    return (
        f'<div class="viewer" role="dialog" aria-modal="true" aria-label="{name}" data-photo="{photo.id}"'
        ' tabindex="-1">'
        f"<figure>{_picture(photo, frame, moment_s)}</figure>"
        f"{_steps()}<aside><h2>{name}</h2>{_warning(photo, there)}{_actions(photo)}"
        f"{facts(photo, copies, tags)}</aside></div>"
    )


def _picture(photo: PhotoRecord, frame: int, moment_s: float | None) -> str:
    """A photo, or a player; for a video that the browser cannot play, the frame that was found."""
    name = safe(_name(photo))
    small = photo_url(photo, "thumbnail", frame)
    large = small if photo.missing_since is not None else photo_url(photo, "preview", frame)  # made of the file
    if photo.duration_s is None or photo.missing_since is not None:
        return f'<img src="{large}" alt="{name}" data-instead="{small}">'
    start = f"#t={moment_s or 0:.2f}"
    return (
        f'<video controls preload="metadata" src="{photo_url(photo, "original")}{start}" poster="{small}"'
        f' aria-label="{name}" data-still="{large}" data-instead="{small}"></video>'
    )


def facts(photo: PhotoRecord, copies: Sequence[PhotoRecord] = (), tags: Sequence[PhotoTag] = ()) -> str:
    """What it shows, date, place, camera, size and path, and where else the same picture lies."""
    rows = {
        "Title": safe(photo.title or ""),
        "Description": safe(photo.description or ""),
        "Rating": stars(photo),
        "Keywords": safe(", ".join(photo.keywords or ())),
        "Tags": tagged(tags),
        "Taken": when(photo) or NOT_RECORDED,
        "Place": where(photo) or NOT_RECORDED,
        "Camera": safe(camera(photo)),
        "Lens": safe(photo.lens or ""),
        "Exposure": safe(exposure(photo)),
        "Picture": safe(measures(photo)),
        "Length": "" if photo.duration_s is None else clock(photo.duration_s),
        "Same shot": ", ".join(safe(shown_path(Path(path.name))) for path in photo.companions),
        "File": f'<span class="path">{safe(shown_path(photo.path))}</span>',
        "Copies": _copies(copies),
    }
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows.items() if value)
    return f"<dl>{listed}</dl>"


def tagged(tags: Sequence[PhotoTag]) -> str:
    """The accepted tags, and, smaller, the suggested ones with how sure the model is; "" without any."""
    accepted = safe(", ".join(tag.path[-1] for tag in tags if tag.state == "accepted"))
    sure = sorted((tag for tag in tags if tag.state == "suggested"), key=lambda tag: -(tag.confidence or 0))
    guessed = " · ".join(f"{safe(tag.path[-1])} {tag.confidence or 0:.0%}" for tag in sure)
    return accepted + (f"<small>Suggested: {guessed}</small>" if guessed else "")


def when(photo: PhotoRecord) -> str:
    """The date taken, as far as it is known, and how far its clock is from UTC, or "" without a date."""
    if photo.taken_at is None:
        return ""
    day = day_and_time(photo.taken_at, photo.taken_precision)
    zone = "time zone not recorded" if photo.taken_offset_min is None else offset(photo.taken_offset_min)
    notes = [] if photo.taken_precision else [zone]
    notes += [DATE_SOURCES[source] for source in [photo.taken_source] if source in DATE_SOURCES]
    return f"{day}<small>{' · '.join(notes)}</small>"


def offset(minutes: int) -> str:
    """An offset as people write it: UTC+05:30."""
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def where(photo: PhotoRecord) -> str:
    """The place's names, the coordinates and the altitude, as far as they are known; "" without any."""
    notes = [safe(", ".join(name for name in (photo.city, photo.region, photo.country) if name))]
    if photo.latitude is not None and photo.longitude is not None:
        north = f"{abs(photo.latitude):.5f}° {'N' if photo.latitude >= 0 else 'S'}"
        east = f"{abs(photo.longitude):.5f}° {'E' if photo.longitude >= 0 else 'W'}"
        notes.append(f"{north}, {east}")
        notes.append("" if photo.altitude is None else f"{photo.altitude:,.0f} m above the sea")
    first, *rest = [note for note in notes if note] or [""]
    return first + (f"<small>{' · '.join(rest)}</small>" if rest else "")


def exposure(photo: PhotoRecord) -> str:
    """Time, aperture, sensitivity and focal length, as photographers write them."""
    seconds = photo.exposure_s or 0
    short = f"1/{1 / seconds:.0f} s" if 0 < seconds < 0.3 else f"{seconds:g} s"
    film = f" ({photo.focal_35mm_mm:g} mm on 35 mm film)" if photo.focal_35mm_mm else ""
    parts = [
        short if seconds else "",
        f"f/{photo.f_number:g}" if photo.f_number else "",
        f"ISO {photo.iso}" if photo.iso else "",
        f"{photo.focal_mm:g} mm{film}" if photo.focal_mm else "",
    ]
    return " · ".join(part for part in parts if part)


def stars(photo: PhotoRecord) -> str:
    """The rating; "" where nobody gave one."""
    if not photo.rating:
        return ""
    return "rejected" if photo.rating < 0 else f"{'★' * photo.rating}{'☆' * (5 - photo.rating)}"


def camera(photo: PhotoRecord) -> str:
    """Make and model, the make once only."""
    make, model = photo.camera_make or "", photo.camera_model or ""
    return model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()


def measures(photo: PhotoRecord) -> str:
    """Pixels, bytes and format."""
    parts = [amount(photo.size)]
    if photo.width and photo.height:
        megapixels = photo.width * photo.height / 1e6
        parts.insert(0, f"{photo.width:,} × {photo.height:,}" + (f" ({megapixels:.1f} MP)" if megapixels >= 1 else ""))
    return " · ".join([*parts, photo.format] if photo.format else parts)


def amount(size: int) -> str:
    """A number of bytes as people write it."""
    if size < 1e3:
        return counted(size, "byte")
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _actions(photo: PhotoRecord) -> str:
    original = f'<a href="{photo_url(photo, "original")}" target="_blank" rel="noopener">Original file</a>'
    return (
        '<p class="actions"><button type="button" class="like" data-like>More like this</button>'
        f'{original if photo.missing_since is None else ""}<button type="button" data-why hidden '
        f'aria-pressed="false">Why it matched</button><span class="marks" hidden>{marking(photo.id)}</span></p>'
    )


def _steps() -> str:
    return (
        '<button type="button" class="close" data-close aria-label="Close" title="Close (Esc)">×</button>'
        '<button type="button" class="step back" data-step="-1" aria-label="Previous photo">‹</button>'
        '<button type="button" class="step on" data-step="1" aria-label="Next photo">›</button>'
    )


def _warning(photo: PhotoRecord, there: bool) -> str:
    if photo.missing_since is None:
        lost = "The file is not where it was indexed. If it was moved or deleted, run picsift index."
        return "" if there else f'<p class="warning">{lost}</p>'
    return (
        f'<p class="warning">Its file has not been reachable since {photo.missing_since:%Y-%m-%d}. '
        "It comes back by itself when its drive is connected, or its folder may be read again.</p>"
    )


def _copies(copies: Sequence[PhotoRecord]) -> str:
    shown = "".join(
        f'<li><button type="button" data-open="{copy.id}">{safe(shown_path(copy.path))}</button></li>'
        for copy in copies[:SHOWN_COPIES]
    )
    more = len(copies) - SHOWN_COPIES
    return f'<ul class="copies">{shown}{f"<li>and {more:,} more</li>" if more > 0 else ""}</ul>' if copies else ""


def _name(photo: PhotoRecord) -> str:
    return shown_path(Path(photo.path.name))
