"""Where the sidecars of photos lie: what is known of a folder is never older than the folder."""

import os

from app.tagging.export import sidecar_plan
from app.tagging.export.sidecar_plan import Folders, Naming, Stamp
from indexer.catalog.tag_records import Decision
from tests.app.serving import photo_id
from tests.app.tagging.export.test_export_service import DOG, SEA, tagged, tags  # noqa: F401
from tests.app.tagging.xmp.test_merge import LIGHTROOM
from tests.indexer.following import wait_until


def test_a_sidecar_that_came_is_seen_though_the_time_of_its_folder_is_set_back(tmp_path, monkeypatch):
    monkeypatch.setattr(Folders, "SETTLED_NS", -1)
    folders, before = Folders(), tmp_path.stat()
    assert folders.beside(tmp_path).sidecars == {}
    (tmp_path / "A.xmp").write_bytes(b"")

    def is_set_back():
        os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return tmp_path.stat().st_ctime_ns != before.st_ctime_ns

    wait_until(is_set_back, "a later time of the inode")
    assert folders.beside(tmp_path).sidecars == {"a.xmp": "A.xmp"}


def test_a_folder_whose_inode_changed_a_moment_ago_is_read_again(tmp_path):
    os.utime(tmp_path, ns=(10**18, 10**18))
    folders = Folders()
    assert folders.beside(tmp_path) is not folders.beside(tmp_path)


def test_what_is_written_hangs_on_no_folder_as_a_preview_saw_it(world, tagged, monkeypatch):  # noqa: F811
    monkeypatch.setattr(sidecar_plan, "stamp_of", lambda folder: Stamp(1, 1, 1, 1))
    assert len(list(tagged.exports.preview())) == 2
    sidecar = world.photos / "red.xmp"
    sidecar.write_bytes(LIGHTROOM.encode())
    tagged.exports.run()
    assert {DOG, SEA} < tags(sidecar)
    assert not (world.photos / "red.png.xmp").exists()


def test_no_sidecar_is_given_the_name_of_another_picture_s(world, services):
    world.write("a.png", "red")
    world.write("a.PNG.jpg", "green")
    world.index()
    services.library.catalog.tags.decide([Decision(photo_id(services, "a.PNG.jpg"), SEA, "accepted")])
    assert services.exports.run(Naming.short).written == 1
    assert [path.name for path in world.photos.glob("*.xmp")] == ["a.PNG.jpg.xmp"]
    world.index()
    photos = {name: services.library.catalog.photo_at(world.photos / name).keywords for name in ("a.png", "a.PNG.jpg")}
    assert {name for name, words in photos.items() if words} == {"a.PNG.jpg"}
