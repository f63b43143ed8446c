"""Photos that were kept since too many of a root went at once: they stay, whatever share of it is looked at later."""

import pytest

from indexer.pipeline import sync


@pytest.fixture
def robbed(world):
    """Four of six photos gone, two in each of two folders, which have one new photo each; one run saw it."""
    for seed in range(6):
        world.write(f"{'xyz'[seed // 2]}/{seed}.png", seed)
    world.sync()
    for seed in range(4):
        (world.photos / f"{'xyz'[seed // 2]}/{seed}.png").unlink()
    world.write("x/new.png", 10)
    world.write("y/new.png", 11)
    assert "4 of the 6 photos" in " ".join(world.sync().messages)
    return world


def known(world):
    (root,) = world.library.catalog.root_paths()
    return world.library.catalog.known(root.id, model_id=world.active.id)


def look(world, *folders, **options):
    """A look at the files of some folders alone, as a daemon takes it where something happened."""
    shallow = [world.photos / folder for folder in folders]
    return sync(world.library, world.embedder, [], shallow=shallow, workers=1, **options)


def test_photos_that_were_kept_stay_at_a_look_at_a_part(robbed):
    for folder in ("x", "y"):
        report = look(robbed, folder)
        assert report.removed == 0
    assert len(known(robbed)) == 8


def test_a_backup_that_comes_back_file_by_file_is_whole_in_the_end(robbed):
    before = {path: photo.id for path, photo in known(robbed).items()}
    for seed in range(4):
        path = f"{'xyz'[seed // 2]}/{seed}.png"
        robbed.write(path, seed)
        assert look(robbed, path[0]).removed == 0
    assert {path: photo.id for path, photo in known(robbed).items()} == before
    assert not any(photo.missing for photo in known(robbed).values())


def test_another_photo_goes_at_a_look_at_a_part_while_they_stay(robbed):
    for seed in range(20, 30):
        robbed.write(f"y/{seed}.png", seed)
    assert look(robbed, "y").removed == 0
    (robbed.photos / "y/20.png").unlink()
    assert look(robbed, "y").removed == 1
    assert "y/20.png" not in known(robbed)
    assert known(robbed)["y/2.png"].missing


def test_they_go_where_a_person_says_so(robbed):
    assert look(robbed, "x", allow_mass_removal=True).removed == 2
    assert robbed.sync(allow_mass_removal=True).removed == 2
