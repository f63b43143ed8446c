"""Exports into the photos: what others put into photos, beside them, or into the library, is never lost."""

import io
import os
import shutil
import sqlite3
import struct
from contextlib import closing

import pytest
from PIL import Image

from app.tagging.export import safe_write, structure
from indexer.catalog.tag_records import Decision
from indexer.errors import ImageError
from indexer.pictures.content.picture_hash import hash_file
from tests.app.colours import World
from tests.app.serving import photo_id
from tests.app.tagging.exiftool.asking import ask
from tests.app.tagging.export.test_into_files import DOG, SEA, one, refusals, said, tag, write
from tests.app.tagging.export.test_iptc_block import OF_OLD, dataset
from tests.indexer.dng_sample import dng
from tests.indexer.heic_sample import HEIC

FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"FILMDATA" * 500


@pytest.fixture(autouse=True)
def exiftool():
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool, which is not installed")


def exif(path, *arguments):
    ask("-q", "-overwrite_original", *arguments, path)


def test_folders_of_others_in_the_library_stay(tmp_path):
    world, _, services = one(tmp_path)
    names = ("export-2024-hawaii", ".picsift-export-hawaii")
    for name in names:
        (world.settings.library / name).mkdir()
        (world.settings.library / name / "photo.jpg").write_bytes(b"the only copy")
    for into_files in (False, True):
        services.exports.run(into_files=into_files)
    assert all((world.settings.library / name / "photo.jpg").exists() for name in names)


def jpeg(*segments):
    """A JPEG with segments behind its first."""
    plain = io.BytesIO()
    Image.effect_noise((64, 48), 90).convert("RGB").save(plain, "JPEG")
    source = plain.getvalue()
    at = 4 + int.from_bytes(source[4:6], "big")
    return source[:at] + b"".join(segments) + source[at:]


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def photoshop(*resources):
    """A segment of image resources."""
    written = [
        b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + b"\0" * (len(body) % 2)
        for number, body in resources
    ]
    return segment(0xED, b"Photoshop 3.0\0" + b"".join(written))


def packet(word):
    return segment(
        0xE1,
        b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/'
        b'02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject>'
        b"<rdf:Bag><rdf:li>" + word + b"</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>",
    )


def avif(**extra):
    plain = io.BytesIO()
    Image.effect_noise((64, 48), 90).convert("RGB").save(plain, "AVIF", **extra)
    return plain.getvalue()


def raw_of_another_name():
    source = dng(Image.new("RGB", (400, 300), "teal"))
    return source.replace(struct.pack("<H", 50706), struct.pack("<H", 50705), 1)


def big_tiff():
    plain = io.BytesIO()
    Image.effect_noise((64, 48), 90).convert("RGB").save(plain, "TIFF", big_tiff=True)
    return plain.getvalue()


def webp():
    plain = io.BytesIO()
    Image.effect_noise((64, 48), 90).convert("RGB").save(plain, "WEBP")
    return plain.getvalue()


def box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind) + body


def open_end(source):
    """The same with an mdat that goes on to the end of the file."""
    at = source.index(b"mdat") - 4
    return source[:at] + bytes(4) + source[at + 4 :]


ODD = {
    "motion.heic": (lambda: HEIC + box(b"mpvd", FILM), "more than a still picture"),
    "samsung.heic": (lambda: HEIC + box(b"sefd", b"SEFH" * 9), "more than a still picture"),
    "motion.avif": (lambda: avif() + box(b"mpvd", FILM), "more than a still picture"),
    "open.heic": (lambda: open_end(HEIC) + FILM, "something follows"),
    "packets.jpg": (lambda: jpeg(packet(b"one"), packet(b"two")), "more than one XMP packet"),
    "blocks.jpg": (
        lambda: jpeg(photoshop((0x404, dataset(2, 25, b"one")), (0x404, dataset(2, 25, b"two")))),
        "more than one IPTC block",
    ),
    "segments.jpg": (
        lambda: jpeg(photoshop((0x404, dataset(2, 25, b"one"))), photoshop((0x404, dataset(2, 25, b"two")))),
        "several parts",
    ),
    "damaged.jpg": (
        lambda: jpeg(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x07\xd1\0\0" + struct.pack(">I", 9999) + b"PATH")),
        "Photoshop data is damaged",
    ),
    "nikon.dng": (raw_of_another_name, "another camera RAW"),
    "big.tif": (big_tiff, "BigTIFF"),
    "tail.webp": (lambda: webp() + b"a tail", "something follows"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_exiftool_would_rearrange_or_lose_is_refused_beforehand(tmp_path, name):
    make, expected = ODD[name]
    world = World(tmp_path)
    path = world.photos / name
    path.write_bytes(make())
    before = path.read_bytes()
    assert world.index().added == 1
    services = tag(world)
    assert expected in refusals(services)[name]
    [(_, reason)] = services.exports.run(into_files=True).refused
    assert expected in reason
    assert path.read_bytes() == before


@pytest.mark.parametrize("block", OF_OLD.values(), ids=OF_OLD)
def test_iptc_in_another_coding_is_never_touched(tmp_path, block):
    world = World(tmp_path)
    path = world.photos / "a.jpg"
    path.write_bytes(jpeg(photoshop((0x404, block))))
    before = path.read_bytes()
    world.index()
    [(_, reason)] = tag(world).exports.run(into_files=True).refused
    assert "coding that is not known for sure. Its tags can go beside it" in reason
    assert path.read_bytes() == before


def test_other_image_resources_stay(tmp_path):
    world = World(tmp_path)
    path = world.photos / "a.jpg"
    path.write_bytes(jpeg(photoshop((0x7D0, b"CLIPPINGPATH" * 5), (0x404, dataset(2, 25, b"one")))))
    world.index()
    assert tag(world).exports.run(into_files=True).written == 1
    assert b"CLIPPINGPATH" * 5 in path.read_bytes()
    assert said(path)["IPTC:Keywords"] == ["one", "animal", "dög", "sea"]


def reject(services, name, *paths):
    number = photo_id(services, name)
    services.library.catalog.tags.decide([Decision(number, path, "rejected") for path in paths])


def test_a_word_of_others_that_is_a_level_of_a_tag_too_stays(tmp_path):
    world = World(tmp_path)
    path = write(world, "a.jpg")
    exif(path, "-IPTC:Keywords=animal")
    world.index()
    services = tag(world, DOG)
    services.exports.run(into_files=True)
    assert said(path)["IPTC:Keywords"] == ["animal", "dög"]
    reject(services, "a.jpg", DOG)
    services.exports.run(into_files=True)
    found = said(path)
    assert (found["IPTC:Keywords"], found["XMP-dc:Subject"]) == ("animal", ["animal"])


def test_what_was_written_belongs_to_the_photo_and_not_to_its_path(tmp_path):
    world, path, services = one(tmp_path, "IMG_1.jpg")
    services.exports.run(into_files=True)
    (world.photos / "old").mkdir()
    moved = path.rename(world.photos / "old" / "filed.jpg")
    world.index()
    write(world, "IMG_1.jpg")
    exif(path, "-IPTC:Keywords=sea", "-XMP-dc:Subject=sea")
    world.index()
    services.library.catalog.tags.decide([Decision(photo_id(services, "IMG_1.jpg"), ("dog",), "accepted")])
    reject(services, "filed.jpg", SEA)
    services.exports.run(into_files=True)
    assert said(path)["IPTC:Keywords"] == ["sea", "dog"]
    assert said(moved)["IPTC:Keywords"] == ["animal", "dög"]


def test_a_tag_that_was_taken_out_and_comes_back_by_others_is_theirs(tmp_path):
    world, path, services = one(tmp_path)
    services.exports.run(into_files=True)
    reject(services, "a.jpg", SEA)
    services.exports.run(into_files=True)
    assert "sea" not in said(path)["IPTC:Keywords"]
    exif(path, "-IPTC:Keywords+=sea", "-XMP-dc:Subject+=sea")
    world.index()
    services.exports.run(into_files=True)
    assert "sea" in said(path)["IPTC:Keywords"]
    assert "sea" in said(path)["XMP-dc:Subject"]


@pytest.mark.parametrize("undone", [False, True], ids=["run", "undo"])
def test_an_edit_that_comes_at_the_last_moment_stays(tmp_path, monkeypatch, undone):
    world, path, services = one(tmp_path)
    if undone:
        services.exports.run(into_files=True)
    real, edits = safe_write._take_over, []

    def edited(old, new, *, like):
        real(old, new, like=like)
        write(world, "edited.jpg").replace(path)
        edits.append(path.read_bytes())

    monkeypatch.setattr(safe_write, "_take_over", edited)
    report = services.exports.undo(1) if undone else services.exports.run(into_files=True)
    [(_, reason)] = report.refused
    assert "it was changed" in reason
    assert [path.read_bytes()] == edits
    assert [file.name for file in world.photos.iterdir()] == ["a.jpg"]


def test_a_new_sidecar_never_replaces_one_that_came_meanwhile(tmp_path):
    path = tmp_path / "a.xmp"
    over = safe_write.seen(path)
    path.write_bytes(b"another program's")
    with pytest.raises(safe_write.ChangedError):
        safe_write.replace(path, b"ours", over=over)
    assert path.read_bytes() == b"another program's"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_photo_that_is_known_by_its_whole_file_is_left_alone(tmp_path):
    world, path, services = one(tmp_path)
    before = path.read_bytes()
    with closing(sqlite3.connect(world.settings.library / "catalog.db")) as database, database:
        database.execute("UPDATE photos SET content_hash = ?", (hash_file(path, whole=True),))
    assert "by its whole file" in refusals(services)["a.jpg"]
    assert services.exports.run(into_files=True).written == 0
    assert path.read_bytes() == before


def test_what_became_a_pipe_is_left_alone(tmp_path):
    _, path, services = one(tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert "no ordinary file" in refusals(services)["a.jpg"]
    assert services.exports.run(into_files=True).written == 0


def test_a_copy_that_picsift_cannot_open_is_refused(tmp_path, monkeypatch):
    _, path, services = one(tmp_path)
    before = path.read_bytes()

    def broken(*arguments, **options):
        raise ImageError("cut short")

    monkeypatch.setattr("indexer.pictures.images.decode", broken)
    [(_, reason)] = services.exports.run(into_files=True).refused
    assert "could not open it any more: cut short" in reason
    assert path.read_bytes() == before


def test_exif_that_is_laid_out_anew_is_the_same_and_other_exif_is_not():
    made = Image.Exif()
    made[0x010E], made[0x010F] = "a description", "a maker"
    plain = made.tobytes()
    expected = exif_parts(plain)
    for source, same in ((plain + b"gap", True), (plain.replace(b"a maker", b"b maker"), False)):
        assert (exif_parts(source) == expected) is same


def exif_parts(content):
    """What has to stay of the EXIF in a JPEG."""
    parts = structure.rest(jpeg(segment(0xE1, content)), "JPEG").others
    found = [value for name, value in parts if isinstance(name, tuple)]
    assert b"a description\0" in found
    return found
