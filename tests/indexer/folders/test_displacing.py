"""Files moved onto the paths of photos that may not be gone: of those, and of the ones that moved, none is lost."""

from dataclasses import replace

import pytest

from indexer.folders import looking
from indexer.folders.removing import Removals


@pytest.fixture
def away(world, monkeypatch):
    """Six photos on the disk; five of another drive that is away, and five on the one in its place."""
    scan = looking.scan
    monkeypatch.setattr(looking, "scan", lambda *args, **options: replace(scan(*args, **options), mounts=("usb",)))
    for seed in range(6):
        world.write(f"disk/{seed}.png", seed)
    for seed in range(20, 25):
        world.write(f"usb/a{seed}.png", seed)
    world.sync()
    (world.photos / "usb").rename(world.photos.with_name("first"))
    for seed in range(30, 35):
        world.write(f"usb/b{seed}.png", seed)
    world.sync()
    return world


def known(world):
    (root,) = world.library.catalog.root_paths()
    return world.library.catalog.known(root.id, model_id=world.active.id)


def renumber(world, *pairs):
    for source, target in pairs:
        (world.photos / "usb" / source).rename(world.photos / "usb" / target)


def test_a_move_onto_a_photo_that_is_away_removes_none(away):
    ids = {path: photo.id for path, photo in known(away).items()}
    renumber(away, ("b30.png", "a20.png"), ("b31.png", "b30.png"))  # the second follows the first
    for _ in range(3):
        report = away.sync()
        assert (report.moved, report.removed, report.updated) == (0, 0, 0)
        assert "2 photos lie in" in " ".join(report.messages)
        assert {path: photo.id for path, photo in known(away).items()} == ids
        assert known(away)["usb/a20.png"].missing and known(away)["usb/b30.png"].missing
    renumber(away, ("b30.png", "b31.png"), ("a20.png", "b30.png"))
    away.sync()
    assert {path: photo.id for path, photo in known(away).items()} == ids
    assert not known(away)["usb/b30.png"].missing and not known(away)["usb/b31.png"].missing


def test_it_is_done_where_a_person_says_so(away):
    moved = known(away)["usb/b30.png"].id
    renumber(away, ("b30.png", "a20.png"))
    report = away.sync(allow_mass_removal=True)
    assert report.moved == 1
    assert known(away)["usb/a20.png"].id == moved


def test_photos_that_others_replaced_count_as_removed(world):
    for seed in range(8):
        world.write(f"{seed}.png", seed)
    world.sync()
    removals = Removals()
    ids = {path: photo.id for path, photo in known(world).items()}

    def put(source, target):
        (world.photos / f"{source}.png").replace(world.photos / f"{target}.png")

    for source, target in ((0, 1), (2, 3)):
        put(source, target)
        assert world.sync(removals=removals).removed == 1
    for source, target in ((4, 5), (6, 7), (1, 3)):
        put(source, target)
    report = world.sync(removals=removals)
    assert (report.removed, report.moved) == (0, 0)
    assert "too many to be gone" in " ".join(report.messages)
    left = {photo.id for photo in known(world).values()}
    assert left == {ids[f"{seed}.png"] for seed in (0, 2, 4, 5, 6, 7)}
